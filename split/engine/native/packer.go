package native

import (
	"fmt"

	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// packer packs constants once per executable, however many programs and groups use them.
type packer struct {
	bytes  int64 // of packed forms, and of constants in memory
	mapped int64 // of constants in a mapped file
	packed map[packKey]packed
}

// packKey is a constant and the form that it is packed in.
type packKey struct {
	t    *tensor.Tensor
	form string
}

type packed interface{ Bytes() int64 }

func newPacker() *packer { return &packer{packed: map[packKey]packed{}} }

// pack is the packed form of t, made by f the first time.
func pack[P packed](k *packer, t *tensor.Tensor, form string, f func() P) P {
	key := packKey{t, form}
	if p, ok := k.packed[key].(P); ok {
		return p
	}
	p := f()
	if form != asItIs {
		t.Cool()
	}
	k.packed[key] = p
	if form == asItIs && t.Mapped() {
		k.mapped += p.Bytes()
	} else {
		k.bytes += p.Bytes()
	}
	return p
}

// close forgets what was packed from what, so that the constants can go; only bytes remains.
func (k *packer) close() { k.packed = nil }

// asItIs is the form of a constant that is not packed.
const asItIs = "plain"

// plain is a constant that is used as it is.
type plain struct{ *tensor.Tensor }

func (p plain) Bytes() int64 { return int64(len(p.Tensor.Bytes())) }

// hold counts a constant that a step reads as it is.
func (k *packer) hold(t *tensor.Tensor) { pack(k, t, asItIs, func() plain { return plain{t} }) }

func (k *packer) conv(w *tensor.Tensor, s kernel.ConvShape) *kernel.ConvWeights {
	return pack(k, w, "conv", func() *kernel.ConvWeights { return kernel.PackConv(tensor.Data[float32](w), s) })
}

func (k *packer) depthwise(w *tensor.Tensor, s kernel.ConvShape) *kernel.DepthwiseWeights {
	return pack(k, w, "depthwise", func() *kernel.DepthwiseWeights { return kernel.PackDepthwise(tensor.Data[float32](w), s) })
}

// matrix packs a matrix of k rows and n columns, which lies in memory transposed when trans is set.
func (k *packer) matrix(w *tensor.Tensor, rows, cols int, trans bool) *kernel.Packed {
	form, ld := "matrix", cols
	if trans {
		form, ld = "transposed", rows
	}
	return pack(k, w, form, func() *kernel.Packed { return kernel.Pack(tensor.Data[float32](w), rows, cols, ld, trans) })
}

func (k *packer) convTranspose(w *tensor.Tensor, s kernel.ConvShape) *kernel.ConvTransposeWeights {
	form := fmt.Sprintf("transposed %d,%d %d,%d %d,%d", s.StrideH, s.StrideW, s.PadTop, s.PadLeft, s.DilationH, s.DilationW)
	return pack(k, w, form, func() *kernel.ConvTransposeWeights {
		return kernel.PackConvTranspose(tensor.Data[float32](w), s)
	})
}
