cat("Goodbye!\n")
