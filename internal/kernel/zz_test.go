package kernel

import (
	"fmt"
	"sort"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/internal/kernel/pool"
)

func med(f func()) time.Duration {
	var took []time.Duration
	for i := 0; i < 60; i++ {
		s := time.Now()
		f()
		took = append(took, time.Since(s))
	}
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	return took[30]
}

func TestZZ(t *testing.T) {
	p1, p2 := pool.New(1), pool.New(2)
	r := seeded(t)
	tr := &Transpose{Batch: 1, Rows: 3, Cols: 320 * 320, X: uniform(r, 3*320*320), Y: make([]float32, 3*320*320)}
	fmt.Println("transpose 3", med(func() { p1.Run(tr) }), med(func() { p2.Run(tr) }))
	tr = &Transpose{Batch: 1, Rows: 32, Cols: 80 * 80, X: uniform(r, 32*80*80), Y: make([]float32, 32*80*80)}
	fmt.Println("transpose 32", med(func() { p1.Run(tr) }), med(func() { p2.Run(tr) }))
	for _, s := range []ConvShape{square(320, 3, 16, 3, 2), square(160, 16, 16, 1, 1), square(80, 64, 64, 1, 1), square(80, 64, 64, 3, 1), square(40, 64, 64, 1, 1),square(20, 64, 64, 1, 1),square(256, 3, 16, 3, 2)} {
		c := &Conv{ConvShape: s, X: uniform(r, s.H*s.W*s.C), Y: make([]float32, s.OH*s.OW*s.OC)}
		c.Weights = PackConv(uniform(r, s.OC*s.C*s.KH*s.KW), s)
		a, b := med(func() { p1.Run(c) }), med(func() { p2.Run(c) })
		fmt.Println("conv", s.H, s.C, s.OC, s.KH, s.StrideH, a, b, 2*float64(s.MACs())/a.Seconds()/1e9, c.Nanos())
	}
	for _, s := range []ConvShape{square(80, 64, 64, 3, 1), square(40, 64, 64, 3, 1), square(20, 64, 64, 3, 1), square(80, 64, 64, 3, 2), square(80, 16, 16, 3, 1), square(14, 96, 96, 5, 1)} {
		c := &Depthwise{ConvShape: s, X: uniform(r, s.H*s.W*s.C), Y: make([]float32, s.OH*s.OW*s.OC)}
		c.Weights = PackDepthwise(uniform(r, s.OC*s.KH*s.KW), s)
		a, b := med(func() { p1.Run(c) }), med(func() { p2.Run(c) })
		fmt.Println("depthwise", s.H, s.C, s.OC, s.KH, s.StrideH, a, b, 2*float64(s.OH*s.OW*s.C*s.KH*s.KW)/a.Seconds()/1e9, c.Nanos())
	}
}
