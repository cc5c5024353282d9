package greet

// Greet greets.
func Greet[T ~string](name T) string {
	return "Hello, " + string(name) + "!"
}
