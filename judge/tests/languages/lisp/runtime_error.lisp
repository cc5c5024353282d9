(error "no reason")
