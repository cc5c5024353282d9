(format t "no end"
