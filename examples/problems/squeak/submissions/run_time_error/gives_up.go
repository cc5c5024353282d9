// Leaves with exit code 3 when there is no way up.
package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	in := bufio.NewReader(os.Stdin)
	var n, m, step int
	fmt.Fscan(in, &n, &m)
	squeaky := map[int]bool{}
	for ; m > 0; m-- {
		fmt.Fscan(in, &step)
		squeaky[step] = true
	}
	a, b, c := 0, 0, 1
	for step = 1; step <= n; step++ {
		next := (a + b + c) % 1_000_000_007
		if squeaky[step] {
			next = 0
		}
		a, b, c = b, c, next
	}
	if c == 0 {
		os.Exit(3)
	}
	fmt.Println(c)
}
