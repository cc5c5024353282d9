// @EXPECTED_RESULTS@: MEMORY_LIMIT
// Lists every tenth of a millimetre of the canal before it looks at one.
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
	x, y := make([]int, n), make([]int, n)
	low, high := 1_000_000, -1_000_000
	for i := range x {
		fmt.Fscan(in, &x[i], &y[i])
		if x[i] < low {
			low = x[i]
		}
		if x[i] > high {
			high = x[i]
		}
	}
	// Parcels of ten metres; none is let go before the end.
	var parcels [][]float64
	for step := 0; step <= (high-low)*10_000; step++ {
		if step%100_000 == 0 {
			parcels = append(parcels, make([]float64, 0, 100_000))
		}
		last := len(parcels) - 1
		parcels[last] = append(parcels[last], float64(low)+float64(step)/10_000)
	}
	best := math.Inf(1)
	for _, parcel := range parcels {
		for _, place := range parcel {
			total := 0.0
			for i := range x {
				total += math.Hypot(place-float64(x[i]), float64(y[i]))
			}
			best = math.Min(best, total)
		}
	}
	fmt.Println(best)
}
