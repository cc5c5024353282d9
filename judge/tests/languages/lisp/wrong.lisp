(format t "Goodbye!~%")
