package onnx

import (
	"fmt"

	"github.com/cleave-mesh/cleave/internal/onnxpb"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// ReadValue reads a test-data file whose contents are of type t: a TensorProto, SequenceProto or OptionalProto. The files do
// not say themselves which they are.
func ReadValue(pb []byte, t split.Type) (tensor.Value, error) {
	v, err := readValue(pb, t)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", t.Kind, err)
	}
	return v, nil
}

func readValue(pb []byte, t split.Type) (tensor.Value, error) {
	r := &reader{}
	switch t.Kind {
	case split.SequenceKind:
		p := &onnxpb.SequenceProto{}
		if err := unmarshal(pb, p); err != nil {
			return nil, err
		}
		return r.sequence(p, 0)
	case split.OptionalKind:
		p := &onnxpb.OptionalProto{}
		if err := unmarshal(pb, p); err != nil {
			return nil, err
		}
		return r.optional(p, 0)
	}
	return ReadTensor(pb)
}

func (r *reader) sequence(p *onnxpb.SequenceProto, depth int) (*tensor.Sequence, error) {
	s := &tensor.Sequence{}
	if n := len(p.TensorValues) + len(p.SparseTensorValues) + len(p.SequenceValues) + len(p.OptionalValues); n > MaxSequence || depth > MaxDepth {
		return nil, fmt.Errorf("%w: a sequence of %d items, %d deep", split.ErrLimit, n, depth)
	}
	if len(p.MapValues) > 0 {
		return nil, fmt.Errorf("%w: maps are not supported", split.ErrInvalid)
	}
	for _, item := range p.TensorValues {
		t, err := r.tensor(item)
		if err != nil {
			return nil, err
		}
		s.Items = append(s.Items, t)
	}
	for _, item := range p.SparseTensorValues {
		t, err := r.sparse(item)
		if err != nil {
			return nil, err
		}
		s.Items = append(s.Items, t)
	}
	for _, item := range p.SequenceValues {
		v, err := r.sequence(item, depth+1)
		if err != nil {
			return nil, err
		}
		s.Items = append(s.Items, v)
	}
	for _, item := range p.OptionalValues {
		v, err := r.optional(item, depth+1)
		if err != nil {
			return nil, err
		}
		s.Items = append(s.Items, v)
	}
	return s, nil
}

func (r *reader) optional(p *onnxpb.OptionalProto, depth int) (*tensor.Optional, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("%w: optionals nest deeper than %d", split.ErrLimit, MaxDepth)
	}
	var item tensor.Value
	var err error
	switch {
	case p.TensorValue != nil:
		item, err = r.tensor(p.TensorValue)
	case p.SparseTensorValue != nil:
		item, err = r.sparse(p.SparseTensorValue)
	case p.SequenceValue != nil:
		item, err = r.sequence(p.SequenceValue, depth+1)
	case p.OptionalValue != nil:
		item, err = r.optional(p.OptionalValue, depth+1)
	case p.MapValue != nil:
		err = fmt.Errorf("%w: maps are not supported", split.ErrInvalid)
	}
	if err != nil {
		return nil, err
	}
	return &tensor.Optional{Item: item}, nil
}
