package native

import (
	"context"
	"fmt"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// body is a subgraph of an op.
type body struct {
	p        *program
	from     []int          // slots of the program around it, parallel to the graph's Captured
	captured []tensor.Value // their values

	// Of the loop under way:
	in    []tensor.Value
	iter  *tensor.Tensor // the number of the iteration
	cond  *tensor.Tensor // the condition
	state []tensor.Value // the carried values
	// kept are the buffers of the carried values, in turn: an iteration reads one set and its results go to the other.
	kept  [2][]tensor.Value
	scans []scanned
}

// bind takes the captured values from p. It returns b, or nil when b is nil.
func (b *body) bind(p *program) *body {
	if b != nil {
		for i, at := range b.from {
			b.captured[i] = p.slots[at].val
		}
	}
	return b
}

// run computes the subgraph. Its results are valid until it runs again.
func (b *body) run(ctx context.Context, in []tensor.Value) ([]tensor.Value, error) {
	return b.p.run(ctx, in, b.captured, nil)
}

// begin sets the loop's carried values to first, before the first iteration of a loop with that many scan outputs.
func (b *body) begin(first []tensor.Value, scans int) {
	if b.iter == nil {
		b.iter, b.cond = tensor.Of(tensor.Int64, nil, int64(0)), tensor.Of(tensor.Bool, nil, false)
		for i := range b.kept {
			b.kept[i] = make([]tensor.Value, len(first))
		}
		b.scans = make([]scanned, scans)
	}
	b.state = append(b.state[:0], first...)
}

// iterate runs iteration i under the given condition, with the carried values.
func (b *body) iterate(ctx context.Context, i int, cond bool) ([]tensor.Value, error) {
	tensor.Data[int64](b.iter)[0] = int64(i)
	tensor.Data[bool](b.cond)[0] = cond
	b.in = append(append(b.in[:0], b.iter, b.cond), b.state...)
	return b.run(ctx, b.in)
}

// carry makes out, results of iteration i, the carried values of the next one.
func (b *body) carry(i int, out []tensor.Value) {
	kept := b.kept[i%2]
	for k, v := range out {
		kept[k] = replaced(kept[k], v)
	}
	copy(b.state, kept)
}

// replaced is a copy of v, in the memory of old where that is a tensor of the same size.
func replaced(old, v tensor.Value) tensor.Value {
	to, ok := old.(*tensor.Tensor)
	from, tensors := v.(*tensor.Tensor)
	if !ok || !tensors || from.DType() == tensor.String || to.DType() != from.DType() || !slices.Equal(to.Shape(), from.Shape()) {
		return copyValue(v)
	}
	copy(to.Bytes(), from.Bytes())
	return to
}

// scanned is a scan output: slices of one type and shape, one of each iteration, in memory that serves every run of the loop.
type scanned struct {
	dtype tensor.DType
	shape tensor.Shape // of a slice
	data  []byte
	text  []string
	all   *tensor.Tensor // what whole returned last
}

// add appends a copy of slice i.
func (s *scanned) add(i int, v tensor.Value) error {
	t, ok := v.(*tensor.Tensor)
	if !ok {
		return fmt.Errorf("%T is not a tensor", v)
	}
	if i == 0 {
		s.data, s.text = s.data[:0], s.text[:0]
		if s.dtype != t.DType() || !s.shape.Equal(t.Shape()) {
			s.dtype, s.shape, s.all = t.DType(), t.Shape().Clone(), nil
		}
	}
	if t.DType() != s.dtype || !s.shape.Equal(t.Shape()) {
		return fmt.Errorf("slices differ: %s %v and %s", s.dtype, s.shape, t)
	}
	s.data, s.text = append(s.data, t.Bytes()...), append(s.text, t.Strings()...)
	return nil
}

// whole is the slices of all iterations, stacked.
func (s *scanned) whole(iterations int) (*tensor.Tensor, error) {
	if s.all != nil && s.all.Shape()[0] == iterations && (len(s.data) == 0 || &s.all.Bytes()[0] == &s.data[0]) {
		return s.all, nil
	}
	shape := append(tensor.Shape{iterations}, s.shape...)
	var err error
	if s.dtype == tensor.String {
		s.all, err = tensor.FromStrings(shape, s.text)
	} else {
		s.all, err = tensor.FromBytes(s.dtype, shape, s.data)
	}
	return s.all, err
}
