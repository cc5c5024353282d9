program runtime_error
  error stop 3
end program
