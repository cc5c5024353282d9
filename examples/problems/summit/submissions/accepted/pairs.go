package main

import (
	"bufio"
	"fmt"
	"os"
	"sort"
)

func main() {
	in := bufio.NewReader(os.Stdin)
	ask := func(i int) (height int) {
		fmt.Println("?", i)
		fmt.Fscan(in, &height)
		return
	}
	var n int
	fmt.Fscan(in, &n)
	// The first milestone after which the path goes down.
	fmt.Println("!", 1+sort.Search(n-1, func(i int) bool { return ask(i+1) > ask(i+2) }))
}
