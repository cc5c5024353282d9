package main

import (
	"bufio"
	"fmt"
	"os"
)

const prime = 1_000_000_007

func main() {
	in := bufio.NewReader(os.Stdin)
	var n, m int
	fmt.Fscan(in, &n, &m)
	squeaky := make([]bool, n+1)
	for ; m > 0; m-- {
		var step int
		fmt.Fscan(in, &step)
		squeaky[step] = true
	}
	ways := make([]int, n+1)
	ways[0] = 1
	for i := 1; i <= n; i++ {
		for jump := 1; jump <= 3 && jump <= i && !squeaky[i]; jump++ {
			ways[i] = (ways[i] + ways[i-jump]) % prime
		}
	}
	fmt.Println(ways[n])
}
