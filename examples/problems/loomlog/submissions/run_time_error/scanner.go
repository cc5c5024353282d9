// A Scanner gives up on a line of more than 64 KiB: exit code 1.
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
)

func main() {
	in := bufio.NewScanner(os.Stdin)
	var count ['z' + 1]int
	for in.Scan() {
		for _, letter := range in.Bytes() {
			count[letter]++
		}
	}
	if err := in.Err(); err != nil {
		log.Fatal(err)
	}
	best := 0
	for letter := 'a'; letter <= 'z'; letter++ {
		if count[letter] > 0 && (best == 0 || count[letter] < count[best]) {
			best = int(letter)
		}
	}
	fmt.Printf("%c %d\n", best, count[best])
}
