package host

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
)

// Timings go on until the least has stood for the quiet time, and end at the latest after the longest time; a run that takes
// longer than both is timed clockMin times.
const (
	clockQuiet   = 30 * time.Millisecond
	clockLongest = 300 * time.Millisecond
	clockMin     = 3
)

// clock warms an executable and returns the usual time of a run on in.
func (h *Host) clock(ctx context.Context, exec engine.Executable, in []tensor.Value) (time.Duration, error) {
	if _, err := exec.Run(ctx, in); err != nil {
		return 0, fmt.Errorf("first run: %w", err)
	}
	var times []time.Duration
	err := settle(clockQuiet, clockLongest, clockMin, func() (time.Duration, error) {
		start := time.Now()
		_, err := exec.Run(ctx, in)
		times = append(times, time.Since(start))
		return times[len(times)-1], err
	})
	if err != nil {
		return 0, err
	}
	return usual(h, times), nil
}

// settle repeats run until the least time that it returned has stood for quiet, at most for longest, at least atLeast times.
func settle(quiet, longest time.Duration, atLeast int, run func() (time.Duration, error)) error {
	begin := time.Now()
	least, since := time.Duration(math.MaxInt64), begin
	for i := 0; ; i++ {
		now := time.Now()
		if i >= atLeast && (now.Sub(since) > quiet || now.Sub(begin) > longest) {
			return nil
		}
		took, err := run()
		if err != nil {
			return err
		}
		if took < least {
			least, since = took, time.Now()
		}
	}
}

// usual is what a run takes: the lower quartile on a real machine, which other work disturbs now and then in use as well; the
// least on an emulated one, whose speed must not depend on what else its host does just now.
func usual[T cmp.Ordered](h *Host, times []T) T {
	s := slices.Sorted(slices.Values(times))
	if h.cfg.Speed != 1 {
		return s[0]
	}
	return s[len(s)/4]
}

// Sample makes up inputs for g: float tensors hold a smooth pattern in [0, 1], as pictures and activations do, all others
// zeros, which are valid indices and lengths everywhere.
func Sample(g *split.Graph) ([]tensor.Value, error) {
	in := make([]tensor.Value, len(g.Inputs))
	for i, id := range g.Inputs {
		v := &g.Values[id]
		t, err := tensor.New(v.DType, v.Shape)
		if err != nil {
			return nil, fmt.Errorf("sample of input %q: %w", v.Name, err)
		}
		if v.DType == tensor.Float32 {
			fill(tensor.Data[float32](t), v.Shape)
		}
		in[i] = t
	}
	return in, nil
}

func fill(data []float32, shape tensor.Shape) {
	width := 1
	if n := len(shape); n > 0 {
		width = max(shape[n-1], 1)
		if width <= 4 && n > 1 { // channels last
			width *= max(shape[n-2], 1)
		}
	}
	noise := uint32(1)
	for i := range data {
		x, y := float64(i%width)/float64(width), float64(i/width)/97
		noise = noise*1664525 + 1013904223
		data[i] = float32(0.5 + 0.3*math.Sin(7*x+y) + 0.15*math.Sin(31*x-3*y) + 0.05*float64(noise>>8)/(1<<24) - 0.025)
	}
}
