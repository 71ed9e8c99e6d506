package native

import (
	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// A value of rank 3 or 4 (batch, channels, space) may exist in ONNX's order, or channels-last, or both. Convolutions and
// poolings work channels-last whatever stage they are in; element-wise groups work in the layout that they find, which
// changes no bit of their result. Stage boundaries are in ONNX's order.

// image reports whether v is a float32 value that may be kept channels-last, and its sizes.
func (c *compiler) image(v split.ValueID) (n, ch, h, w int, ok bool) {
	if v == split.None || !c.isFloat32(v) {
		return 0, 0, 0, 0, false
	}
	return c.sizes(v)
}

// bytesImage is image for values of 8-bit integers.
func (c *compiler) bytesImage(v split.ValueID) (n, ch, h, w int, ok bool) {
	if v == split.None || !isByte(c.p.slots[v].dtype) {
		return 0, 0, 0, 0, false
	}
	return c.sizes(v)
}

func isByte(d tensor.DType) bool { return d == tensor.Uint8 || d == tensor.Int8 }

// sizes are batch, channels, height and width of a value of rank 3 or 4.
func (c *compiler) sizes(v split.ValueID) (n, ch, h, w int, ok bool) {
	switch s := c.p.slots[v].shape; len(s) {
	case 4:
		return s[0], s[1], s[2], s[3], true
	case 3:
		return s[0], s[1], 1, s[2], true
	}
	return 0, 0, 0, 0, false
}

// isFloat32 reports whether v is a float32 tensor of known shape.
func (c *compiler) isFloat32(v split.ValueID) bool {
	return v != split.None && c.p.slots[v].dtype == tensor.Float32 && c.p.slots[v].shape != nil
}

// channelsLast is shape s with its channels moved to the end.
func channelsLast(s tensor.Shape) tensor.Shape {
	r := append(tensor.Shape{s[0]}, s[2:]...)
	return append(r, s[1])
}

// toCL is the slot of v channels-last, made by a step when there is none yet. v must be an image.
func (c *compiler) toCL(v split.ValueID) int {
	if c.cl[v] >= 0 {
		return c.cl[v]
	}
	n, ch, h, w, _ := c.sizes(v)
	s := &c.p.slots[v]
	to := c.extra(s.dtype, channelsLast(s.shape))
	c.cl[v] = to
	if ch == 1 || h*w == 1 { // the same order of elements
		c.view(int(v), to)
		return to
	}
	c.add(&transposeStep{from: int(v), to: to, task: kernel.Transpose{Batch: n, Rows: ch, Cols: h * w}},
		stepIO{reads: []int{int(v)}, writes: []int{to}})
	return to
}

// toPlain makes sure that v exists in ONNX's order.
func (c *compiler) toPlain(v split.ValueID) {
	if v == split.None || c.plain[v] {
		return
	}
	c.plain[v] = true
	n, ch, h, w, _ := c.sizes(v)
	if ch == 1 || h*w == 1 {
		c.view(c.cl[v], int(v))
		return
	}
	c.want(int(v))
	c.add(&transposeStep{from: c.cl[v], to: int(v), task: kernel.Transpose{Batch: n, Rows: h * w, Cols: ch}},
		stepIO{reads: []int{c.cl[v]}, writes: []int{int(v)}})
}

// view makes slot to hold the elements of slot from in the same order under another shape: by sharing its place in the
// arena, or by a copy where from is not in the arena (an input, a constant, a value of unknown size).
func (c *compiler) view(from, to int) {
	f, t := &c.p.slots[from], &c.p.slots[to]
	if c.p.slots[f.root].planned {
		t.root, t.at, t.bytes, t.planned = f.root, f.at, f.bytes, false
		return
	}
	c.want(to)
	c.add(&copyStep{from: from, to: to}, stepIO{reads: []int{from}, writes: []int{to}})
}

// outCL makes the slot of v channels-last, to be written by the next step; v does not exist in ONNX's order yet.
func (c *compiler) outCL(v split.ValueID) int {
	to := c.extra(c.p.slots[v].dtype, channelsLast(c.p.slots[v].shape))
	c.cl[v], c.plain[v] = to, false
	return to
}

// outPlain is the slot of v in ONNX's order, to be written by the next step.
func (c *compiler) outPlain(v split.ValueID) int {
	c.want(int(v))
	return int(v)
}

// transposeStep changes the layout of an image of float32, int32 or bytes.
type transposeStep struct {
	from, to int
	task     kernel.Transpose
}

func (s *transposeStep) run(p *program) error {
	switch to := &p.slots[s.to]; to.dtype {
	case tensor.Float32:
		s.task.X, s.task.Y = p.slots[s.from].f32, to.f32
		p.parallel.Run(&s.task)
	case tensor.Int32:
		transposeElements(p.int32s(s.to), p.int32s(s.from), &s.task)
	default:
		transposeElements(p.bytes(s.to), p.bytes(s.from), &s.task)
	}
	return nil
}

// transposeElements is t for elements that no kernel moves.
func transposeElements[T byte | int32](dst, src []T, t *kernel.Transpose) {
	n := t.Rows * t.Cols
	for b := range t.Batch {
		x, y := src[b*n:(b+1)*n], dst[b*n:(b+1)*n]
		for r := range t.Rows {
			row := x[r*t.Cols : (r+1)*t.Cols]
			for i, v := range row {
				y[i*t.Rows+r] = v
			}
		}
	}
}

// copyStep copies a value's elements.
type copyStep struct{ from, to int }

func (s *copyStep) run(p *program) error {
	copy(p.bytes(s.to), p.bytes(s.from))
	return nil
}
