package native

import (
	"slices"

	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// concat appends a Concat: channels-last when its inputs are so and it joins channels or pixels, in ONNX's order otherwise.
func (c *compiler) concat(op *split.Op) bool {
	y := op.Outputs[0]
	so := c.p.slots[y].shape
	axis := int(op.Int("axis", 1))
	if axis < 0 {
		axis += len(so)
	}
	if axis < 0 || axis >= len(so) {
		return false
	}
	cl := false
	for _, v := range op.Inputs {
		if !c.isFloat32(v) {
			return false
		}
		cl = cl || !c.plain[v]
	}
	s := &concatStep{}
	mem, at := so, axis
	if cl {
		mem = channelsLast(so)
		at = map[int]int{0: 0, 1: len(so) - 1, 2: 1, 3: 2}[axis]
	}
	outer, _, inner := blocks(mem, at)
	total := 0
	s.y = c.out(y, cl)
	for _, v := range op.Inputs {
		n := c.p.slots[v].shape[axis] * inner
		if !cl {
			c.toPlain(v)
		} else if inner == 1 && once(op.Inputs, v) && c.writesInto(v, s.y, total, so[axis]) {
			total += n
			continue
		}
		from := int(v)
		if cl {
			from = c.toCL(v)
		}
		s.in, s.size, s.at = append(s.in, from), append(s.size, n), append(s.at, total)
		total += n
	}
	if len(s.in) == 0 {
		return true // everything is where it belongs
	}
	s.row = total
	s.task = rowTask{rows: outer, n: total, nanos: outer * (total*cheapPicos/1000 + len(s.in)*4), f: s.rows}
	c.add(s, stepIO{reads: s.in, writes: []int{s.y}})
	return true
}

// once reports whether v is among vs exactly once.
func once(vs []split.ValueID, v split.ValueID) bool {
	at := slices.Index(vs, v)
	return at >= 0 && !slices.Contains(vs[at+1:], v)
}

// writesInto makes the convolution that computes v write its channels straight into slot y, from channel at on of the given
// number, when nothing but the Concat into y reads v.
func (c *compiler) writesInto(v split.ValueID, y, at, channels int) bool {
	val := &c.g.Values[v]
	if len(val.Consumers) != 1 || slices.Contains(c.g.Outputs, v) || c.plain[v] || c.cl[v] < 0 {
		return false
	}
	for k := len(c.p.steps) - 1; k >= 0; k-- {
		if !slices.Contains(c.p.io[k].writes, c.cl[v]) {
			continue
		}
		conv, ok := c.p.steps[k].(*convStep)
		if !ok || conv.dense == nil || conv.y != c.cl[v] {
			return false
		}
		conv.y, conv.at, conv.dense.YStride = y, at, channels
		c.p.io[k].writes = []int{y}
		return true
	}
	return false
}

// concatStep copies row by row what was not computed in its place.
type concatStep struct {
	in, size, at []int // slot, elements per row and place in the row of each input
	row, y       int
	p            *program
	task         rowTask
}

func (s *concatStep) run(p *program) error {
	s.p = p
	p.parallel.Run(&s.task)
	s.p = nil
	return nil
}

func (s *concatStep) rows(lo, hi int) {
	y := s.p.slots[s.y].f32
	for k, i := range s.in {
		x, n := s.p.slots[i].f32, s.size[k]
		for o := lo; o < hi; o++ {
			copy(y[o*s.row+s.at[k]:o*s.row+s.at[k]+n], x[o*n:])
		}
	}
}

// transpose appends a Transpose. One that only moves the channels of an image is a change of name where the image already
// exists in that order; one that swaps two blocks of neighbouring dimensions is a stack of matrix transposes.
func (c *compiler) transpose(op *split.Op) bool {
	x, y := op.Inputs[0], op.Outputs[0]
	if !c.isFloat32(x) {
		return false
	}
	s := c.p.slots[x].shape
	perm := toInts(op.Ints("perm"))
	if len(perm) == 0 {
		for i := range s {
			perm = append(perm, len(s)-1-i)
		}
	}
	if len(perm) != len(s) || c.constant(x) != nil {
		return false
	}
	rank := len(s)
	if (rank == 3 || rank == 4) && slices.Equal(perm, toLast(rank)) && !c.plain[x] { // reads channels-last as it lies
		c.view(c.cl[x], int(y))
		return true
	}
	c.toPlain(x)
	if (rank == 3 || rank == 4) && slices.Equal(perm, toFirst(rank)) { // what lies there is y channels-last
		c.cl[y] = c.extra(tensor.Float32, s)
		c.plain[y] = false
		c.view(int(x), c.cl[y])
		return true
	}
	batch, rows, cols, ok := matrixTranspose(s, perm)
	if !ok {
		own, shape, st := strides(s), make(tensor.Shape, rank), make([]int, rank)
		for i, p := range perm {
			shape[i], st[i] = s[p], own[p]
		}
		step, ok := planRows(shape, 0, st)
		if !ok {
			return false
		}
		step.x, step.y = int(x), c.outPlain(y)
		c.add(step, stepIO{reads: []int{step.x}, writes: []int{step.y}})
		return true
	}
	step := &transposeStep{from: int(x), to: c.outPlain(y), task: kernel.Transpose{Batch: batch, Rows: rows, Cols: cols}}
	c.add(step, stepIO{reads: []int{step.from}, writes: []int{step.to}})
	return true
}

// toLast moves dimension 1 to the end; toFirst moves it back.
func toLast(rank int) []int {
	p := []int{0}
	for i := 2; i < rank; i++ {
		p = append(p, i)
	}
	return append(p, 1)
}

func toFirst(rank int) []int {
	p := []int{0, rank - 1}
	for i := 1; i < rank-1; i++ {
		p = append(p, i)
	}
	return p
}

// matrixTranspose reports whether a permutation keeps its first dimensions and swaps two blocks of the others.
func matrixTranspose(s tensor.Shape, perm []int) (batch, rows, cols int, ok bool) {
	k := 0
	for k < len(perm) && perm[k] == k {
		k++
	}
	if k == len(perm) {
		return size(s), 1, 1, true
	}
	cut := perm[k] // the second block begins here
	for i, p := range perm[k:] {
		want := cut + i
		if want >= len(perm) {
			want = k + want - len(perm)
		}
		if p != want {
			return 0, 0, 0, false
		}
	}
	return size(s[:k]), size(s[k:cut]), size(s[cut:]), true
}

// softmax appends a Softmax over the last dimension.
func (c *compiler) softmax(op *split.Op) bool {
	x := op.Inputs[0]
	if !c.isFloat32(x) || len(c.p.slots[x].shape) == 0 {
		return false
	}
	s := c.p.slots[x].shape
	def := int64(-1)
	if c.g.Opset[onnx] < 13 {
		def = 1
	}
	axis := int(op.Int("axis", def))
	if axis < 0 {
		axis += len(s)
	}
	if axis < 0 || axis >= len(s) || c.g.Opset[onnx] >= 13 && size(s[axis+1:]) != 1 {
		return false
	}
	c.toPlain(x)
	step := &softmaxStep{x: int(x), y: c.outPlain(op.Outputs[0])}
	step.task = kernel.Softmax{Rows: size(s[:axis]), Cols: size(s[axis:]), Log: op.Type == "LogSoftmax"}
	c.add(step, stepIO{reads: []int{step.x}, writes: []int{step.y}})
	return true
}

type softmaxStep struct {
	x, y int
	task kernel.Softmax
}

func (s *softmaxStep) run(p *program) error {
	s.task.X, s.task.Y = p.slots[s.x].f32, p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}
