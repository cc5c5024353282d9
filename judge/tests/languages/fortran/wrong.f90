program wrong
  print '(a)', 'Goodbye!'
end program
