program compile_error
  implicit none
  n = 1
end program
