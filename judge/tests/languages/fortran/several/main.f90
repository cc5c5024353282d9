program hello
  use greet
  character(len=64) :: name
  read (*, *) name
  call say(name)
end program
