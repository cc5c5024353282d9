kept <- list()
while (TRUE) kept[[length(kept) + 1]] <- rnorm(131072)
