package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
)

func main() {
	in := bufio.NewReader(os.Stdin)
	var n int
	fmt.Fscan(in, &n)
	x, y := make([]float64, n), make([]float64, n)
	for i := range x {
		fmt.Fscan(in, &x[i], &y[i])
	}
	total := func(pump float64) (sum float64) {
		for i := range x {
			sum += math.Hypot(x[i]-pump, y[i])
		}
		return
	}
	low, high := -1e6, 1e6
	for round := 0; round < 120; round++ {
		third := (high - low) / 3
		if total(low+third) < total(high-third) {
			high -= third
		} else {
			low += third
		}
	}
	fmt.Println(total(low))
}
