// Looks one milestone beyond the end when the summit is the last one.
package main

import (
	"bufio"
	"fmt"
	"os"
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
	low, high := 1, n+1
	for low < high {
		middle := (low + high) / 2
		if ask(middle) < ask(middle+1) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	fmt.Println("!", low)
}
