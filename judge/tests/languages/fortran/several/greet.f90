module greet
contains
  subroutine say(name)
    character(len=*), intent(in) :: name
    print '(3a)', 'Hello, ', trim(name), '!'
  end subroutine
end module
