package main

import (
	"bufio"
	"fmt"
	"os"
	"sort"
)

// Equal courses lie side by side when they are sorted.
func main() {
	var log string
	fmt.Fscan(bufio.NewReaderSize(os.Stdin, 1<<20), &log)
	courses := make([]int, len(log)+1)
	for i, stroke := range log {
		courses[i+1] = courses[i] + 1
		if stroke == 'R' {
			courses[i+1] -= 2
		}
	}
	sort.Ints(courses)
	found, equal := 0, 0
	for i := 1; i < len(courses); i++ {
		if courses[i] != courses[i-1] {
			equal = 0
		} else {
			equal++
		}
		found += equal
	}
	fmt.Println(found)
}
