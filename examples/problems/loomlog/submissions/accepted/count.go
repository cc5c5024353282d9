package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<16)
	var count [256]int
	for letter, err := in.ReadByte(); err == nil; letter, err = in.ReadByte() {
		count[letter]++
	}
	best := 0
	for letter := 'a'; letter <= 'z'; letter++ {
		if count[letter] > 0 && (best == 0 || count[letter] < count[best]) {
			best = int(letter)
		}
	}
	fmt.Printf("%c %d\n", best, count[best])
}
