package oip

import (
	"fmt"

	"github.com/cleave-mesh/cleave/internal/oippb"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// rawOnly reports whether elements of type d have no field in the protocol's typed contents.
func rawOnly(d tensor.DType) bool { return d == tensor.Float16 || d == tensor.BFloat16 }

// fromContents reads typed contents: the field of the datatype must hold exactly the elements of shape.
func fromContents(datatype string, shape tensor.Shape, c *oippb.InferTensorContents) (*tensor.Tensor, error) {
	d, err := ParseDatatype(datatype)
	if err != nil {
		return nil, err
	}
	switch d {
	case tensor.Bool:
		return same(d, shape, c.GetBoolContents())
	case tensor.Int8:
		return narrow[int8](d, shape, c.GetIntContents())
	case tensor.Int16:
		return narrow[int16](d, shape, c.GetIntContents())
	case tensor.Int32:
		return same(d, shape, c.GetIntContents())
	case tensor.Int64:
		return same(d, shape, c.GetInt64Contents())
	case tensor.Uint8:
		return narrow[uint8](d, shape, c.GetUintContents())
	case tensor.Uint16:
		return narrow[uint16](d, shape, c.GetUintContents())
	case tensor.Uint32:
		return same(d, shape, c.GetUintContents())
	case tensor.Uint64:
		return same(d, shape, c.GetUint64Contents())
	case tensor.Float32:
		return same(d, shape, c.GetFp32Contents())
	case tensor.Float64:
		return same(d, shape, c.GetFp64Contents())
	case tensor.String:
		text := make([]string, len(c.GetBytesContents()))
		for i, b := range c.GetBytesContents() {
			text[i] = string(b)
		}
		return tensor.FromStrings(shape, text)
	default:
		return nil, fmt.Errorf("%s has no typed contents: send it in raw_input_contents", datatype)
	}
}

// sized is a new tensor for n elements, which must be those of shape.
func sized(d tensor.DType, shape tensor.Shape, n int) (*tensor.Tensor, error) {
	want, err := shape.Elements()
	if err != nil {
		return nil, err
	}
	if want != n {
		return nil, fmt.Errorf("the contents of type %s have %d elements, shape %v needs %d", d, n, shape, want)
	}
	return tensor.New(d, shape)
}

func same[T tensor.Element](d tensor.DType, shape tensor.Shape, from []T) (*tensor.Tensor, error) {
	t, err := sized(d, shape, len(from))
	if err != nil {
		return nil, err
	}
	copy(tensor.Data[T](t), from)
	return t, nil
}

func narrow[T int8 | int16 | uint8 | uint16, F int32 | uint32](d tensor.DType, shape tensor.Shape, from []F) (*tensor.Tensor, error) {
	t, err := sized(d, shape, len(from))
	if err != nil {
		return nil, err
	}
	to := tensor.Data[T](t)
	for i, v := range from {
		if to[i] = T(v); F(to[i]) != v {
			return nil, fmt.Errorf("element %d is %d, which %s cannot hold", i, v, d)
		}
	}
	return t, nil
}

// toContents writes t's elements into the field of its type; t must not be rawOnly.
func toContents(t *tensor.Tensor) *oippb.InferTensorContents {
	switch t.DType() {
	case tensor.Bool:
		return &oippb.InferTensorContents{BoolContents: tensor.Data[bool](t)}
	case tensor.Int8:
		return &oippb.InferTensorContents{IntContents: widen[int32](tensor.Data[int8](t))}
	case tensor.Int16:
		return &oippb.InferTensorContents{IntContents: widen[int32](tensor.Data[int16](t))}
	case tensor.Int32:
		return &oippb.InferTensorContents{IntContents: tensor.Data[int32](t)}
	case tensor.Int64:
		return &oippb.InferTensorContents{Int64Contents: tensor.Data[int64](t)}
	case tensor.Uint8:
		return &oippb.InferTensorContents{UintContents: widen[uint32](tensor.Data[uint8](t))}
	case tensor.Uint16:
		return &oippb.InferTensorContents{UintContents: widen[uint32](tensor.Data[uint16](t))}
	case tensor.Uint32:
		return &oippb.InferTensorContents{UintContents: tensor.Data[uint32](t)}
	case tensor.Uint64:
		return &oippb.InferTensorContents{Uint64Contents: tensor.Data[uint64](t)}
	case tensor.Float32:
		return &oippb.InferTensorContents{Fp32Contents: tensor.Data[float32](t)}
	case tensor.Float64:
		return &oippb.InferTensorContents{Fp64Contents: tensor.Data[float64](t)}
	default: // String: Datatype refuses every other
		c := &oippb.InferTensorContents{}
		for _, s := range t.Strings() {
			c.BytesContents = append(c.BytesContents, []byte(s))
		}
		return c
	}
}

func widen[T int32 | uint32, F int8 | int16 | uint8 | uint16](from []F) []T {
	to := make([]T, len(from))
	for i, v := range from {
		to[i] = T(v)
	}
	return to
}
