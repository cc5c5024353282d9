print "Goodbye!\n";
