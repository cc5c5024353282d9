program hello
  implicit none
  character(len=64) :: name
  read (*, *) name
  print '(3a)', 'Hello, ', trim(name), '!'
end program
