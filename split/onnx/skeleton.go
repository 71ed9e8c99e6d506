package onnx

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// LoadSkeleton is Load for a model whose external data may be missing, as before a node has fetched it: weights that are not
// there are made up, which is enough to measure time and memory. Integers of up to maxIndices elements are not, since shapes may
// depend on them: a model that keeps those outside is refused with their name.
func LoadSkeleton(path string) (*split.Graph, error) {
	return load(path, filepath.Dir(path), &generator{rng: rand.New(rand.NewPCG(1, 2))})
}

// maxIndices is the most elements of an integer constant that is taken for a shape, axes or the like.
const maxIndices = 64

// generator makes weights up. They share memory where they can.
type generator struct {
	rng    *rand.Rand
	floats []byte // the largest run of float32 so far
}

// weights is a tensor with contents that computations survive: positive floats well inside of their range, small integers.
func (m *generator) weights(d tensor.DType, s tensor.Shape) (*tensor.Tensor, error) {
	n, err := tensor.Bytes(d, s)
	if err != nil {
		return nil, err
	}
	elements, _ := s.Elements()
	switch d {
	case tensor.Float32:
		if len(m.floats) < n {
			m.floats = tensor.AlignedBytes(n)
			for i := range n / 4 {
				put32(m.floats[4*i:], 0x3d000000|m.rng.Uint32()&0x7fffff) // 1/32 to 1/16
			}
		}
		return tensor.FromBytes(d, s, m.floats[:n:n])
	case tensor.Float16, tensor.BFloat16:
		base, fraction := uint32(0x2800), uint32(0x3ff) // 1/32
		if d == tensor.BFloat16 {
			base, fraction = 0x3d00, 0x7f
		}
		data := tensor.AlignedBytes(n)
		for i := range elements {
			h := base | m.rng.Uint32()&fraction
			data[2*i], data[2*i+1] = byte(h), byte(h>>8)
		}
		return tensor.FromBytes(d, s, data)
	case tensor.Float64:
		data := tensor.AlignedBytes(n)
		for i := range elements {
			data[8*i+6], data[8*i+7] = 0xa0, 0x3f // 1/32
		}
		return tensor.FromBytes(d, s, data)
	case tensor.Int64, tensor.Int32:
		if elements <= maxIndices {
			return nil, fmt.Errorf("%w: the external data is missing, and shapes may depend on %d integers in it: fetch it first", split.ErrInvalid, elements)
		}
		return tensor.New(d, s) // indices of the first row
	case tensor.Uint8, tensor.Int8, tensor.Uint4, tensor.Int4, tensor.Uint2, tensor.Int2:
		data := tensor.AlignedBytes(n)
		for i := range data {
			data[i] = byte(m.rng.Uint32())
		}
		return tensor.FromBytes(d, s, data)
	}
	return nil, fmt.Errorf("%w: the external data is missing, and %s is not made up: fetch it first", split.ErrInvalid, d)
}
