package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/kernel/peak"
	"github.com/cleave-mesh/cleave/internal/kernel/pool"
)

// productSizes are the squares that products are timed on.
var productSizes = []int{512, 1024, 2048}

// product is one timed product and its rates, in operations per second, a round each.
type product struct {
	isa   kernel.ISA
	int8  bool
	size  int
	task  pool.Task
	rates []float64
}

// products times float32 and int8 products on one core, round after round in turn with each other and with the core's peak rate
// of fused multiply-adds, and prints medians.
func products(w io.Writer, rounds int) error {
	before := kernel.Active()
	defer func() { _ = kernel.SetISA(before) }() // it was active, so it is there
	rnd := rand.New(rand.NewPCG(shapeSeed, 1))
	lanes := map[kernel.ISA]int{}
	var all []*product
	for _, isa := range kernel.Available() {
		if isa < kernel.AVX2 {
			continue // no peak to compare with
		}
		lanes[isa] = 16
		if isa == kernel.AVX2 {
			lanes[isa] = 8
		}
		if err := kernel.SetISA(isa); err != nil {
			return err
		}
		for _, n := range productSizes {
			if isa != kernel.AVX512VNNI { // the float32 product is AVX512's
				all = append(all, &product{isa: isa, size: n, task: floatProduct(rnd, n)})
			}
			if isa != kernel.AVX512 { // which has no byte product of its own
				all = append(all, &product{isa: isa, size: n, int8: true, task: byteProduct(rnd, n)})
			}
		}
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "products: no vector instructions whose peak this build can measure")
		return err
	}
	peaks := map[kernel.ISA][]float64{}
	for range rounds {
		for isa, n := range lanes {
			peaks[isa] = append(peaks[isa], peak.Measure(n, 20*time.Millisecond))
		}
		for _, p := range all {
			if err := kernel.SetISA(p.isa); err != nil {
				return err
			}
			start := time.Now()
			p.task.Run(0, p.task.Units())
			n := float64(p.size)
			p.rates = append(p.rates, 2*n*n*n/time.Since(start).Seconds())
		}
	}
	fmt.Fprintf(w, "\nproducts of squares on one core, medians of %d rounds in turn\n", rounds)
	floats := map[int]float64{} // the best float32 rate, by size
	for _, p := range all {
		rate, top := median(p.rates), median(peaks[p.isa])
		if !p.int8 {
			floats[p.size] = max(floats[p.size], rate)
			fmt.Fprintf(w, "float32 %-10s %5d  %7.1f GFLOP/s  %5.1f %% of %.1f GFLOP/s peak\n", p.isa, p.size, rate/1e9, 100*rate/top, top/1e9)
		}
	}
	for _, p := range all {
		if p.int8 {
			rate := median(p.rates)
			fmt.Fprintf(w, "int8    %-10s %5d  %7.1f GOP/s    %5.2f times the best float32 rate\n", p.isa, p.size, rate/1e9, rate/floats[p.size])
		}
	}
	return nil
}

func floatProduct(rnd *rand.Rand, n int) *kernel.Gemm {
	matrix := func() []float32 {
		x := make([]float32, n*n)
		for i := range x {
			x[i] = 2*rnd.Float32() - 1
		}
		return x
	}
	return &kernel.Gemm{M: n, A: matrix(), LDA: n, B: kernel.Pack(matrix(), n, n, n, false), C: make([]float32, n*n), LDC: n}
}

func byteProduct(rnd *rand.Rand, n int) *kernel.Int8Gemm {
	matrix := func() []uint8 {
		x := make([]uint8, n*n)
		for i := range x {
			x[i] = uint8(rnd.Uint32())
		}
		return x
	}
	const zero, scale = 128, 0.01
	return &kernel.Int8Gemm{
		M: n, A: matrix(), LDA: n, AZero: zero, B: kernel.PackInt8(matrix(), n, n, n, false, false, nil),
		Out: kernel.Int8Output{Float32: make([]float32, n*n), LDC: n, Scale: []float32{scale}},
	}
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}
