package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"github.com/cleave-mesh/cleave/internal/onnxpb"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// ReadTensor reads a TensorProto file, such as the backend tests' input_0.pb. The tensor shares pb where it can.
func ReadTensor(pb []byte) (*tensor.Tensor, error) {
	p := &onnxpb.TensorProto{}
	if err := unmarshal(pb, p); err != nil {
		return nil, fmt.Errorf("read tensor: %w", err)
	}
	t, err := (&reader{}).tensor(p)
	if err != nil {
		return nil, fmt.Errorf("read tensor: %w", err)
	}
	return t, nil
}

// shapeOf checks sizes that a file states.
func shapeOf(dims []int64) (tensor.Shape, error) {
	if len(dims) > MaxRank {
		return nil, fmt.Errorf("%w: rank %d, the limit is %d", split.ErrLimit, len(dims), MaxRank)
	}
	s := make(tensor.Shape, len(dims))
	for i, d := range dims {
		if d < 0 || d > math.MaxInt32 && d > math.MaxInt/8 {
			return nil, fmt.Errorf("%w: size %d in dimension %d", tensor.ErrShape, d, i)
		}
		s[i] = int(d)
	}
	if _, err := s.Elements(); err != nil {
		return nil, err
	}
	return s, nil
}

// tensor converts p, whose element count and data must agree.
func (r *reader) tensor(p *onnxpb.TensorProto) (*tensor.Tensor, error) {
	t, err := r.contents(p)
	if err != nil {
		return nil, fmt.Errorf("tensor %q: %w", p.Name, err)
	}
	return t, nil
}

func (r *reader) contents(p *onnxpb.TensorProto) (*tensor.Tensor, error) {
	d := tensor.DType(p.DataType)
	if p.DataType < 0 || p.DataType > math.MaxUint8 || !d.Valid() {
		return nil, fmt.Errorf("%w: element type %d is unknown", split.ErrInvalid, p.DataType)
	}
	if p.Segment != nil {
		return nil, fmt.Errorf("%w: segmented tensors are not supported", split.ErrInvalid)
	}
	shape, err := shapeOf(p.Dims)
	if err != nil {
		return nil, err
	}
	if p.DataLocation == onnxpb.TensorProto_EXTERNAL {
		return r.external(p, d, shape)
	}
	if d == tensor.String {
		n, _ := shape.Elements()
		if n != len(p.StringData) {
			return nil, mismatch(d, shape, len(p.StringData), "strings")
		}
		text := make([]string, n)
		for i, b := range p.StringData {
			text[i] = string(b)
		}
		return tensor.FromStrings(shape, text)
	}
	want, err := tensor.Bytes(d, shape)
	if err != nil {
		return nil, err
	}
	raw, err := r.restore(p.RawData)
	if err != nil {
		return nil, err
	}
	if len(raw) > 0 || want == 0 {
		if len(raw) != want {
			return nil, mismatch(d, shape, len(raw), "bytes")
		}
		aligned := r.align(raw, d.Bits()/8)
		if r.raw != nil && len(p.RawData) > 0 { // a tensor inside a function is read once a call
			r.raw[binary.LittleEndian.Uint32(p.RawData)] = aligned
		}
		if r.mapped && len(aligned) >= minMappedTensor {
			return tensor.FromMapped(d, shape, aligned)
		}
		if r.mapped {
			aligned = append(tensor.AlignedBytes(0), aligned...)
		}
		return tensor.FromBytes(d, shape, aligned)
	}
	return typedContents(p, d, shape, want)
}

// typedContents converts the data of a field of the element's kind, want bytes when it is packed densely.
func typedContents(p *onnxpb.TensorProto, d tensor.DType, shape tensor.Shape, want int) (*tensor.Tensor, error) {
	var data []byte
	switch d {
	case tensor.Float32, tensor.Complex64:
		data = bytesOf(p.FloatData)
	case tensor.Float64, tensor.Complex128:
		data = bytesOf(p.DoubleData)
	case tensor.Int64:
		data = bytesOf(p.Int64Data)
	case tensor.Uint64:
		data = bytesOf(p.Uint64Data)
	case tensor.Int32:
		data = bytesOf(p.Int32Data)
	case tensor.Uint32:
		if len(p.Uint64Data)*4 == want {
			data = make([]byte, want)
			for i, x := range p.Uint64Data {
				put32(data[4*i:], uint32(x))
			}
		}
	case tensor.Int16, tensor.Uint16, tensor.Float16, tensor.BFloat16:
		if len(p.Int32Data)*2 == want {
			data = make([]byte, want)
			for i, x := range p.Int32Data {
				data[2*i], data[2*i+1] = byte(x), byte(x>>8)
			}
		}
	default: // one byte, or several packed elements, an entry
		if len(p.Int32Data) == want {
			data = make([]byte, want)
			for i, x := range p.Int32Data {
				data[i] = byte(x)
			}
		}
	}
	if len(data) != want {
		entries := max(len(p.FloatData), len(p.DoubleData), len(p.Int64Data), len(p.Uint64Data), len(p.Int32Data))
		return nil, mismatch(d, shape, entries, "elements")
	}
	return tensor.FromBytes(d, shape, data)
}

func put32(b []byte, x uint32) {
	b[0], b[1], b[2], b[3] = byte(x), byte(x>>8), byte(x>>16), byte(x>>24)
}

func mismatch(d tensor.DType, s tensor.Shape, got int, unit string) error {
	return fmt.Errorf("%w: %s %v holds %d %s: the file is damaged or cut short", split.ErrInvalid, d, s, got, unit)
}

// bytesOf views a slice of numbers as its bytes, which are little-endian on every machine that Cleave runs on.
func bytesOf[T float32 | float64 | int32 | int64 | uint64](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(s[0])))
}

// align moves data, a part of the reader's own buffer, down to the next address that elements of width bytes need, and returns it there. The
// bytes that it overwrites are the tags and lengths in front of it, of which there are at least four and which have been
// parsed. Wider elements, and buffers that are not the reader's, are left to be copied.
func (r *reader) align(data []byte, width int) []byte {
	if len(r.buf) == 0 || len(data) == 0 || width < 2 || width > 4 {
		return data
	}
	base, at := uintptr(unsafe.Pointer(unsafe.SliceData(r.buf))), uintptr(unsafe.Pointer(unsafe.SliceData(data)))
	shift := at % uintptr(width)
	if shift == 0 || at < base+shift || at+uintptr(len(data)) > base+uintptr(len(r.buf)) {
		return data
	}
	off := int(at - base - shift)
	moved := r.buf[off : off+len(data) : off+len(data)]
	copy(moved, data)
	return moved
}

// sparse converts p to a dense tensor. Indices are linear (one per value) or coordinates (rank per value), ascending or not.
func (r *reader) sparse(p *onnxpb.SparseTensorProto) (*tensor.Tensor, error) {
	if p.Values == nil || p.Indices == nil {
		return nil, fmt.Errorf("%w: sparse tensor without values or indices", split.ErrInvalid)
	}
	values, err := r.tensor(p.Values)
	if err != nil {
		return nil, err
	}
	indices, err := r.tensor(p.Indices)
	if err != nil {
		return nil, err
	}
	shape, err := shapeOf(p.Dims)
	if err != nil {
		return nil, fmt.Errorf("sparse tensor %q: %w", p.Values.Name, err)
	}
	width := values.DType().Bits() / 8
	if size, err := tensor.Bytes(values.DType(), shape); err != nil || width == 0 {
		return nil, fmt.Errorf("sparse tensor %q: %w: element type %s", p.Values.Name, split.ErrInvalid, values.DType())
	} else if size > MaxSparseBytes {
		return nil, fmt.Errorf("sparse tensor %q: %w: dense it has %d bytes, the limit is %d", p.Values.Name, split.ErrLimit, size, MaxSparseBytes)
	}
	n := values.Len()
	if indices.DType() != tensor.Int64 || indices.Len() != n && indices.Len() != n*len(shape) {
		return nil, fmt.Errorf("sparse tensor %q: %w: %s indices for %d values", p.Values.Name, split.ErrInvalid, indices, n)
	}
	dense, err := tensor.New(values.DType(), shape)
	if err != nil {
		return nil, err
	}
	total, index := int64(dense.Len()), tensor.Data[int64](indices)
	coordinates := len(indices.Shape()) == 2
	for i := range n {
		at := int64(0)
		if coordinates {
			for d, size := range shape {
				c := index[i*len(shape)+d]
				if c < 0 || c >= int64(size) {
					return nil, fmt.Errorf("sparse tensor %q: %w: index %d is out of range", p.Values.Name, split.ErrInvalid, c)
				}
				at = at*int64(size) + c
			}
		} else {
			at = index[i]
		}
		if at < 0 || at >= total {
			return nil, fmt.Errorf("sparse tensor %q: %w: index %d is out of range", p.Values.Name, split.ErrInvalid, at)
		}
		copy(dense.Bytes()[int(at)*width:][:width], values.Bytes()[i*width:])
	}
	return dense, nil
}
