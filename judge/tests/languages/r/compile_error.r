hello <- function( {
