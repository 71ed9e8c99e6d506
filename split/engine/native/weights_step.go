package native

import (
	"fmt"
	"slices"

	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// Weights that a model keeps in 8 or 4 bits stay so: a DequantizeLinear of constants is deferred until something asks for its
// float32 elements, and products take the integers instead. Those of 8 bits are kept as bytes in the order of packed
// weights, and expanded before each use into memory of the arena that other steps use too; those of 4 bits have a
// product of their own. Both give the bits that float32 weights give, but for the order of 4-bit sums.

// fewBits are constant weights as integers, each times a scale.
type fewBits struct {
	t, st *tensor.Tensor // integers and scales
	scale []float32      // row-major over channels, or over blocks and channels
	zero  *tensor.Tensor
	axis  int // of the channels; of the blocks when block is not 0
	block int
}

// deferWeights remembers op, a DequantizeLinear of constants, when products can take its integers.
func (c *compiler) deferWeights(op *split.Op) bool {
	f := c.fewBitsOf(op)
	if f == nil {
		return false
	}
	c.deferred[op.Outputs[0]] = deferred{op, f}
	return true
}

type deferred struct {
	op *split.Op
	*fewBits
}

func (c *compiler) fewBitsOf(op *split.Op) *fewBits {
	f := &fewBits{t: c.constant(op.Inputs[0]), axis: int(op.Int("axis", 1)), block: int(op.Int("block_size", 0))}
	st := c.constant(op.Inputs[1])
	f.st = st
	rank := len(f.t.Shape())
	if f.axis < 0 {
		f.axis += rank
	}
	if st.DType() != tensor.Float32 || rank < 2 || f.axis < 0 || f.axis >= rank || op.Int("output_dtype", 0) > 1 {
		return nil
	}
	f.scale = tensor.Data[float32](st)
	switch f.t.DType() {
	case tensor.Int8, tensor.Uint8, tensor.Int4, tensor.Uint4:
	default:
		return nil
	}
	if z := op.Input(2); z != split.None {
		f.zero = c.constant(z)
		if f.zero.Len() != len(f.scale) || f.zero.DType() != f.t.DType() {
			return nil
		}
	}
	if f.block > 0 {
		want := f.t.Shape().Clone()
		want[f.axis] = (want[f.axis] + f.block - 1) / f.block
		if !st.Shape().Equal(want) {
			return nil
		}
	} else if len(st.Shape()) > 1 || len(f.scale) != 1 && len(f.scale) != f.t.Shape()[f.axis] {
		return nil
	}
	return f
}

// bytesOver is the byte weights of v with a scale per index of axis, or nil when v is not that.
func (c *compiler) bytesOver(v split.ValueID, axis int) *fewBits {
	d, ok := c.deferred[v]
	if !ok || d.block != 0 || !isByte(d.t.DType()) || len(d.scale) > 1 && d.axis != axis {
		return nil
	}
	middle := int32(0) // the zero point that leaves the integers in eight bits
	if d.t.DType() == tensor.Uint8 {
		middle = 128
	}
	if d.zero == nil && middle != 0 {
		return nil
	}
	if d.zero != nil {
		for _, b := range d.zero.Bytes() {
			if byteValue(b, d.t.DType()) != middle {
				return nil
			}
		}
	}
	f := *d.fewBits
	if n := f.t.Shape()[axis]; len(f.scale) == 1 {
		f.scale = slices.Repeat(f.scale, n)
	}
	return &f
}

// whole is the integers minus their zero point as float32.
func (f *fewBits) whole() []float32 {
	w := make([]float32, f.t.Len())
	middle := int32(0)
	if f.t.DType() == tensor.Uint8 {
		middle = 128
	}
	for i, b := range f.t.Bytes() {
		w[i] = float32(byteValue(b, f.t.DType()) - middle)
	}
	return w
}

// addExpand appends the step that expands compact weights of size float32 and returns the slot with them.
func (c *compiler) addExpand(size int, task kernel.Expand) int {
	to := c.extra(tensor.Float32, tensor.Shape{size})
	c.add(&expandStep{to: to, task: task}, stepIO{writes: []int{to}})
	return to
}

type expandStep struct {
	to   int
	task kernel.Expand
}

func (s *expandStep) run(p *program) error {
	s.task.To = p.slots[s.to].f32
	p.parallel.Run(&s.task)
	return nil
}

// compactConv packs byte weights of a dense convolution.
func (k *packer) compactConv(f *fewBits, s kernel.ConvShape) *kernel.CompactConv {
	return pack(k, f.t, fmt.Sprintf("compact conv %p", f.st), func() *kernel.CompactConv {
		return kernel.NewCompactConv(kernel.PackConv(f.whole(), s), f.scale)
	})
}

// compactMatrix packs a byte matrix of k rows and n columns, which lies transposed when trans is set.
func (k *packer) compactMatrix(f *fewBits, rows, cols int, trans bool) *kernel.Compact {
	ld := cols
	if trans {
		ld = rows
	}
	return pack(k, f.t, fmt.Sprintf("compact matrix %v %p", trans, f.st), func() *kernel.Compact {
		return kernel.NewCompact(kernel.Pack(f.whole(), rows, cols, ld, trans), f.scale)
	})
}

// matMulNBits appends com.microsoft's MatMulNBits of 4-bit constant weights with its epilogue.
func (c *compiler) matMulNBits(ops []*split.Op) bool {
	op := ops[0]
	a, y := op.Inputs[0], op.Outputs[0]
	k, n, block := int(op.Int("K", 0)), int(op.Int("N", 0)), int(op.Int("block_size", 0))
	q, st := c.constant(op.Inputs[1]), c.constant(op.Inputs[2])
	if op.Int("bits", 4) != 4 || q == nil || q.DType() != tensor.Uint8 || st == nil || st.DType() != tensor.Float32 || !c.isFloat32(a) ||
		op.Input(4) != split.None || k < 1 || n < 1 || block < nbitsBlock || block%nbitsBlock != 0 {
		return false
	}
	blocks := (k + block - 1) / block
	if q.Len() != n*blocks*block/2 || st.Len() != n*blocks {
		return false
	}
	var zeros []byte
	if v := op.Input(3); v != split.None {
		z := c.constant(v)
		if z == nil || z.DType() != tensor.Uint8 || z.Len() != n*((blocks+1)/2) {
			return false
		}
		zeros = z.Bytes()
	}
	form := fmt.Sprintf("4 bits %p %p", st, c.constant(op.Input(3)))
	weights := func() *kernel.NBits {
		return pack(c.e.packs, q, form, func() *kernel.NBits {
			return kernel.PackNBits(q.Bytes(), tensor.Data[float32](st), zeros, k, n, block)
		})
	}
	if v := op.Input(5); v != split.None && len(ops) > 1 {
		return false
	}
	return c.nbits(ops, a, y, op.Input(5), k, n, weights)
}

// nbitsBlock is what the blocks of 4-bit weights must be a multiple of.
const nbitsBlock = 16

// nbits appends a product with weights of k rows and n columns of 4 bits.
func (c *compiler) nbits(ops []*split.Op, a, y, bias split.ValueID, k, n int, weights func() *kernel.NBits) bool {
	as, so := c.p.slots[a].shape, c.p.slots[y].shape
	if len(as) == 0 || as[len(as)-1] != k || len(so) != len(as) || so[len(so)-1] != n {
		return false
	}
	e, ok := c.epilogue(ops, len(so)-1)
	if !ok || e.residual != split.None {
		return false
	}
	if bias != split.None {
		t := c.constant(bias)
		if t == nil || e.bias != nil {
			return false
		}
		if e.bias, ok = perChannel(t, tensor.Shape{1, n}, 1); !ok {
			return false
		}
	}
	c.toPlain(a)
	s := &nbitsStep{x: int(a), y: c.outPlain(e.out)}
	s.task = kernel.NBitsGemm{M: size(as[:len(as)-1]), LDA: k, B: weights(), LDC: n, Bias: e.bias, Act: e.act}
	c.add(s, stepIO{reads: []int{s.x}, writes: []int{s.y}})
	return true
}

// nbitsProduct appends a MatMul or Gemm whose right side is deferred 4-bit weights of k rows and n columns, with blocks along k
// or one scale per column.
func (c *compiler) nbitsProduct(ops []*split.Op, k, n int, trans bool) bool {
	op := ops[0]
	d, ok := c.deferred[op.Inputs[1]]
	if !ok || d.t.DType().Bits() != 4 {
		return false
	}
	rows, cols := 0, 1 // axes of k and n
	if trans {
		rows, cols = 1, 0
	}
	block := d.block
	switch {
	case block == 0 && (len(d.scale) == 1 || d.axis == cols):
		block = (k + nbitsBlock - 1) / nbitsBlock * nbitsBlock
	case block == 0 || d.axis != rows || block%nbitsBlock != 0:
		return false
	}
	form := fmt.Sprintf("4 bits of %v %p", trans, d.st)
	return c.nbits(ops, op.Inputs[0], op.Outputs[0], op.Input(2), k, n, func() *kernel.NBits {
		return pack(c.e.packs, d.t, form, func() *kernel.NBits { return d.packNBits(k, n, block, rows) })
	})
}

// packNBits packs 4-bit weights; rows is the axis of k.
func (f *fewBits) packNBits(k, n, block, rows int) *kernel.NBits {
	blocks := (k + block - 1) / block
	at := func(a, b, nb int) int { // an element of a matrix (k or blocks, n) or its transpose
		if rows == 1 {
			return b*nb + a
		}
		return a*n + b
	}
	half := func(t *tensor.Tensor, i int) byte { // 0 to 15
		v := t.Bytes()[i/2] >> (4 * (i % 2)) & 15
		if t.DType() == tensor.Int4 {
			v ^= 8
		}
		return v
	}
	q, zeros := make([]byte, n*blocks*block/2), make([]byte, n*((blocks+1)/2))
	scale := make([]float32, n*blocks)
	for j := range n {
		for i := range k {
			p := (j*blocks+i/block)*block + i%block
			q[p/2] |= half(f.t, at(i, j, k)) << (4 * (p % 2))
		}
		for b := range blocks {
			s := at(b, j, blocks)
			switch {
			case len(f.scale) == 1:
				s = 0
			case f.block == 0:
				s = j
			}
			z := byte(0)
			if f.t.DType() == tensor.Int4 {
				z = 8
			}
			if f.zero != nil {
				z = half(f.zero, s)
			}
			scale[j*blocks+b] = f.scale[s]
			zeros[j*((blocks+1)/2)+b/2] |= z << (4 * (b % 2))
		}
	}
	return kernel.PackNBits(q, scale, zeros, k, n, block)
}

// nbitsStep is a product with weights of 4 bits.
type nbitsStep struct {
	x, y int
	task kernel.NBitsGemm
}

func (s *nbitsStep) run(p *program) error {
	s.task.A, s.task.C = p.slots[s.x].f32, p.slots[s.y].f32
	p.parallel.Run(&s.task)
	return nil
}
