package native

import (
	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// casts are the conversions that have a step: those in which no value lies outside of what the type holds, and int64 to int32,
// which wraps.
var casts = map[[2]tensor.DType]func(dst, src *tensor.Tensor, lo, hi int){
	{tensor.Int32, tensor.Float32}:   converted[int32, float32],
	{tensor.Int64, tensor.Float32}:   converted[int64, float32],
	{tensor.Uint8, tensor.Float32}:   converted[uint8, float32],
	{tensor.Int8, tensor.Float32}:    converted[int8, float32],
	{tensor.Uint8, tensor.Int32}:     converted[uint8, int32],
	{tensor.Int8, tensor.Int32}:      converted[int8, int32],
	{tensor.Uint8, tensor.Int64}:     converted[uint8, int64],
	{tensor.Int8, tensor.Int64}:      converted[int8, int64],
	{tensor.Int32, tensor.Int64}:     converted[int32, int64],
	{tensor.Int64, tensor.Int32}:     converted[int64, int32],
	{tensor.Float32, tensor.Float64}: converted[float32, float64],
	{tensor.Float32, tensor.Float16}: func(dst, src *tensor.Tensor, lo, hi int) {
		kernel.Float32ToFloat16(tensor.Data[uint16](dst)[lo:hi], tensor.Data[float32](src)[lo:hi])
	},
	{tensor.Float16, tensor.Float32}: func(dst, src *tensor.Tensor, lo, hi int) {
		kernel.Float16ToFloat32(tensor.Data[float32](dst)[lo:hi], tensor.Data[uint16](src)[lo:hi])
	},
	{tensor.Bool, tensor.Float32}: func(dst, src *tensor.Tensor, lo, hi int) {
		for i, b := range src.Bytes()[lo:hi] {
			tensor.Data[float32](dst)[lo+i] = float32(min(b, 1))
		}
	},
}

func converted[A, B int8 | uint8 | int32 | int64 | float32 | float64](dst, src *tensor.Tensor, lo, hi int) {
	y := tensor.Data[B](dst)[lo:hi]
	for i, v := range tensor.Data[A](src)[lo:hi] {
		y[i] = B(v)
	}
}

// cast appends a Cast between types that have a step.
func (c *compiler) cast(op *split.Op) bool {
	x, y := op.Inputs[0], op.Outputs[0]
	f := casts[[2]tensor.DType{c.p.slots[x].dtype, c.p.slots[y].dtype}]
	if f == nil || c.p.slots[x].shape == nil || c.p.slots[y].shape == nil {
		return false
	}
	c.toPlain(x)
	s := &castStep{x: int(x), y: c.outPlain(y)}
	n := c.elements(s.y)
	s.task = spans{n: n, nanos: n * costlyPicos / 1000, f: func(lo, hi int) { f(s.dst, s.src, lo, hi) }}
	c.add(s, stepIO{reads: []int{s.x}, writes: []int{s.y}})
	return true
}

type castStep struct {
	x, y     int
	src, dst *tensor.Tensor
	task     spans
}

func (s *castStep) run(p *program) error {
	s.src, s.dst = p.slots[s.x].val.(*tensor.Tensor), p.slots[s.y].val.(*tensor.Tensor)
	p.parallel.Run(&s.task)
	return nil
}
