package onnx

import (
	"fmt"
	"math"

	"github.com/cleave-mesh/cleave/internal/onnxpb"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// typeOf converts p; nil is a tensor of which nothing is known.
func typeOf(p *onnxpb.TypeProto, depth int) (split.Type, error) {
	if depth > MaxDepth {
		return split.Type{}, fmt.Errorf("%w: types nest deeper than %d", split.ErrLimit, MaxDepth)
	}
	switch v := p.GetValue().(type) {
	case nil:
		return split.Type{}, nil
	case *onnxpb.TypeProto_TensorType:
		return tensorType(v.TensorType.GetElemType(), v.TensorType.GetShape())
	case *onnxpb.TypeProto_SparseTensorType:
		return tensorType(v.SparseTensorType.GetElemType(), v.SparseTensorType.GetShape())
	case *onnxpb.TypeProto_SequenceType:
		return wrapped(split.SequenceKind, v.SequenceType.GetElemType(), depth)
	case *onnxpb.TypeProto_OptionalType:
		return wrapped(split.OptionalKind, v.OptionalType.GetElemType(), depth)
	}
	return split.Type{}, fmt.Errorf("%w: map and opaque types are not supported: keep them outside of the model", split.ErrInvalid)
}

func wrapped(kind split.Kind, elem *onnxpb.TypeProto, depth int) (split.Type, error) {
	if elem == nil {
		return split.Type{Kind: kind}, nil
	}
	t, err := typeOf(elem, depth+1)
	return split.Type{Kind: kind, Elem: &t}, err
}

func tensorType(elem int32, shape *onnxpb.TensorShapeProto) (split.Type, error) {
	d := tensor.DType(elem)
	if elem < 0 || elem > math.MaxUint8 || elem != 0 && !d.Valid() {
		return split.Type{}, fmt.Errorf("%w: element type %d is unknown", split.ErrInvalid, elem)
	}
	t := split.Type{DType: d}
	if shape == nil {
		return t, nil
	}
	if len(shape.Dim) > MaxRank {
		return t, fmt.Errorf("%w: rank %d, the limit is %d", split.ErrLimit, len(shape.Dim), MaxRank)
	}
	t.Shape = make(tensor.Shape, len(shape.Dim))
	for i, dim := range shape.Dim {
		t.Shape[i] = tensor.Unknown
		switch v := dim.GetValue().(type) {
		case *onnxpb.TensorShapeProto_Dimension_DimValue:
			if v.DimValue >= 0 {
				t.Shape[i] = int(v.DimValue)
			}
		case *onnxpb.TensorShapeProto_Dimension_DimParam:
			if v.DimParam == "" {
				continue
			}
			if t.Params == nil {
				t.Params = make([]string, len(shape.Dim))
			}
			t.Params[i] = v.DimParam
		}
	}
	if known := knownPart(t.Shape); known != nil {
		return t, known
	}
	return t, nil
}

// knownPart fails when the known sizes of s alone are too many elements.
func knownPart(s tensor.Shape) error {
	known := make(tensor.Shape, 0, len(s))
	for _, d := range s {
		if d > 0 {
			known = append(known, d)
		}
	}
	_, err := known.Elements()
	return err
}
