package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// vector is a constant float32 input of n elements, or nil.
func (c *compiler) vector(v split.ValueID, n int) []float32 {
	t := c.constant(v)
	if t == nil || t.DType() != tensor.Float32 || t.Len() != n {
		return nil
	}
	return tensor.Data[float32](t)
}

// layerNorm appends a LayerNormalization or RMSNormalization whose scale and bias are constants.
func (c *compiler) layerNorm(op *split.Op) bool {
	x := op.Inputs[0]
	if !c.isFloat32(x) || op.Output(1) != split.None || op.Output(2) != split.None {
		return false
	}
	s := c.p.slots[x].shape
	axis := int(op.Int("axis", -1))
	if axis < 0 {
		axis += len(s)
	}
	if axis < 0 || axis >= len(s) {
		return false
	}
	cols := size(s[axis:])
	t := kernel.LayerNorm{Rows: size(s[:axis]), Cols: cols, Epsilon: op.Float("epsilon", 1e-5), RMS: op.Type == "RMSNormalization"}
	if t.Scale = c.vector(op.Input(1), cols); t.Scale == nil {
		return false
	}
	if b := op.Input(2); b != split.None {
		if t.Bias = c.vector(b, cols); t.Bias == nil {
			return false
		}
	}
	c.toPlain(x)
	step := &layerNormStep{x: int(x), y: c.outPlain(op.Outputs[0]), task: t}
	c.add(step, stepIO{reads: []int{step.x}, writes: []int{step.y}})
	return true
}

type layerNormStep struct {
	x, y int
	task kernel.LayerNorm
}

func (s *layerNormStep) run(p *program) error {
	s.task.X, s.task.Y = p.slots[s.x].f32, p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}

// instanceNorm appends an InstanceNormalization, channels-last.
func (c *compiler) instanceNorm(op *split.Op) bool {
	n, ch, h, w, ok := c.image(op.Inputs[0])
	if !ok || h*w == 0 {
		return false
	}
	s := &instanceNormStep{n: n, ch: ch, pixels: h * w, epsilon: op.Float("epsilon", 1e-5)}
	s.scale, s.bias = c.vector(op.Inputs[1], ch), c.vector(op.Inputs[2], ch)
	if s.scale == nil || s.bias == nil {
		return false
	}
	s.x, s.y = c.toCL(op.Inputs[0]), c.outCL(op.Outputs[0])
	c.add(s, stepIO{reads: []int{s.x}, writes: []int{s.y}})
	return true
}

type instanceNormStep struct {
	x, y, n, ch, pixels int
	scale, bias         []float32
	epsilon             float32
}

func (s *instanceNormStep) run(p *program) error {
	kernel.InstanceNorm(p.slots[s.y].f32, p.slots[s.x].f32, s.n, s.pixels, s.ch, s.scale, s.bias, s.epsilon)
	return nil
}

// batchNorm appends a BatchNormalization of constant statistics and the activation that follows it: a scale and a shift per
// channel.
func (c *compiler) batchNorm(ops []*split.Op) bool {
	op, y := ops[0], ops[0].Outputs[0]
	var act kernel.Activation
	if len(ops) == 2 {
		var ok bool
		if act, ok = c.activationOf(ops[1]); !ok {
			return false
		}
		y = ops[1].Outputs[0]
	}
	x := op.Inputs[0]
	if len(ops) > 2 || !c.isFloat32(x) || op.Int("training_mode", 0) != 0 || len(c.p.slots[x].shape) < 2 {
		return false
	}
	rank, ch := len(c.p.slots[x].shape), c.p.slots[x].shape[1]
	var par [4][]float32
	for i := range par {
		if par[i] = c.vector(op.Inputs[i+1], ch); par[i] == nil {
			return false
		}
	}
	s := &scaleStep{ch: ch, act: act, scale: make([]float32, ch), shift: make([]float32, ch)}
	eps := float64(op.Float("epsilon", 1e-5))
	for k := range ch {
		f := float64(par[0][k]) / math.Sqrt(float64(par[3][k])+eps)
		s.scale[k], s.shift[k] = float32(f), float32(float64(par[1][k])-float64(par[2][k])*f)
	}
	switch rank {
	case 2:
		c.toPlain(x)
		s.x, s.y = int(x), c.outPlain(y)
	case 3, 4:
		s.x, s.y = c.toCL(x), c.outCL(y)
	default:
		return false
	}
	n := c.elements(s.y)
	if ch == 0 || n == 0 {
		return false
	}
	s.task = rowTask{rows: n / ch, n: ch, nanos: n * (cheapPicos + actPicos(act.Kind)) / 1000, f: s.rows}
	c.add(s, stepIO{reads: []int{s.x}, writes: []int{s.y}})
	return true
}

// scaleStep computes y = act(x*scale + shift) over rows of channels.
type scaleStep struct {
	x, y, ch     int
	scale, shift []float32
	act          kernel.Activation
	src, dst     []float32
	task         rowTask
}

func (s *scaleStep) run(p *program) error {
	s.src, s.dst = p.slots[s.x].f32, p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}

func (s *scaleStep) rows(lo, hi int) {
	y := s.dst[lo*s.ch : hi*s.ch]
	kernel.ScaleShift(y, s.src[lo*s.ch:hi*s.ch], s.scale, s.shift)
	if s.act.Kind != kernel.ActNone {
		s.act.Apply(y, y)
	}
}

// prelu appends a PRelu with one slope for all or one per channel.
func (c *compiler) prelu(op *split.Op) bool {
	x, y := op.Inputs[0], op.Outputs[0]
	if !c.isFloat32(x) {
		return false
	}
	if a, ok := c.scalar(op.Inputs[1]); ok {
		in, cl := c.follow(x)
		act := kernel.Activation{Kind: kernel.ActLeakyRelu, A: a}
		s := &mapStep{x: in[0], y: c.out(y, cl)}
		s.task.n = c.elements(s.y)
		s.task.nanos = s.task.n * cheapPicos / 1000
		s.task.f = func(lo, hi int) { act.Apply(s.dst[lo:hi], s.src[lo:hi]) }
		c.add(s, stepIO{reads: in, writes: []int{s.y}})
		return true
	}
	_, ch, _, _, ok := c.image(x)
	t := c.constant(op.Inputs[1])
	if !ok || t == nil {
		return false
	}
	slope, ok := perChannel(t, c.p.slots[x].shape, 1)
	if !ok {
		return false
	}
	s := &preluStep{slope: slope, x: c.toCL(x)}
	s.y = c.outCL(y)
	n := c.elements(s.y)
	s.task = rowTask{rows: n / max(ch, 1), n: ch, nanos: n, f: s.rows}
	c.add(s, stepIO{reads: []int{s.x}, writes: []int{s.y}})
	return true
}

// preluStep computes y = x < 0 ? slope·x : x over rows of channels.
type preluStep struct {
	x, y     int
	slope    []float32
	src, dst []float32
	task     rowTask
}

func (s *preluStep) run(p *program) error {
	s.src, s.dst = p.slots[s.x].f32, p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}

func (s *preluStep) rows(lo, hi int) {
	n := len(s.slope)
	for r := lo; r < hi; r++ {
		y, x := s.dst[r*n:(r+1)*n], s.src[r*n:(r+1)*n]
		for i, v := range x {
			if v < 0 {
				v *= s.slope[i]
			}
			y[i] = v
		}
	}
}

// reduce appends a ReduceMean, ReduceSum or ReduceMax over dimensions that are neighbours: over an image's pixels
// channels-last, over anything else in ONNX's order.
func (c *compiler) reduce(op *split.Op) bool {
	x, y := op.Inputs[0], op.Outputs[0]
	if !c.isFloat32(x) {
		return false
	}
	s := c.p.slots[x].shape
	axes := toInts(op.Ints("axes"))
	if v := op.Input(1); v != split.None {
		t := c.constant(v)
		if t == nil || t.DType() != tensor.Int64 {
			return false
		}
		axes = toInts(tensor.Data[int64](t))
	}
	if len(axes) == 0 || len(s) == 0 {
		return false
	}
	lo, hi, set := len(s), 0, map[int]bool{}
	for _, a := range axes {
		if a < 0 {
			a += len(s)
		}
		if a < 0 || a >= len(s) {
			return false
		}
		lo, hi, set[a] = min(lo, a), max(hi, a+1), true
	}
	if hi-lo != len(set) {
		return false
	}
	r := &reduceStep{typ: op.Type, outer: size(s[:lo]), n: size(s[lo:hi]), inner: size(s[hi:])}
	if r.n == 0 || r.outer*r.inner == 0 {
		return false
	}
	if len(s) == 4 && lo == 2 && hi == 4 {
		r.x, r.inner, r.outer = c.toCL(x), s[1], s[0]
		if len(c.p.slots[y].shape) == 4 {
			r.y = c.outCL(y)
		} else {
			r.y = c.outPlain(y) // (N, C) in both orders
		}
	} else {
		c.toPlain(x)
		r.x, r.y = int(x), c.outPlain(y)
	}
	r.task = rowTask{rows: r.outer, n: r.inner, nanos: r.outer * r.n * r.inner * cheapPicos / 1000, f: r.rows}
	c.add(r, stepIO{reads: []int{r.x}, writes: []int{r.y}})
	return true
}

// reduceStep folds the middle of outer×n×inner elements.
type reduceStep struct {
	typ             string
	x, y            int
	outer, n, inner int
	src, dst        []float32
	task            rowTask
}

func (s *reduceStep) run(p *program) error {
	s.src, s.dst = p.slots[s.x].f32, p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}

func (s *reduceStep) rows(lo, hi int) {
	for o := lo; o < hi; o++ {
		x, y := s.src[o*s.n*s.inner:(o+1)*s.n*s.inner], s.dst[o*s.inner:(o+1)*s.inner]
		switch {
		case s.inner == 1 && s.typ == "ReduceMax":
			y[0] = kernel.MaxOf(x)
		case s.inner == 1:
			y[0] = kernel.Sum(x)
		case s.typ == "ReduceMean": // as a global pooling
			kernel.GlobalAverage(y, x, 1, s.n, s.inner)
			continue
		default:
			copy(y, x)
			for k := 1; k < s.n; k++ {
				if s.typ == "ReduceMax" {
					kernel.Max(y, y, x[k*s.inner:(k+1)*s.inner])
				} else {
					kernel.Add(y, y, x[k*s.inner:(k+1)*s.inner])
				}
			}
		}
		if s.typ == "ReduceMean" {
			y[0] /= float32(s.n)
		}
	}
}
