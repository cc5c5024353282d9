package main

import (
	"fmt"

	"example.org/hello/greet"
)

func main() {
	var name string
	fmt.Scan(&name)
	fmt.Println(greet.Greet(name))
}
