stop("no reason")
