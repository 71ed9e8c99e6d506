package oip

import (
	"fmt"
	"slices"

	"github.com/cleave-mesh/cleave/internal/oippb"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// ReportParameter is the parameter of a gRPC response that holds Response.Report as JSON.
const ReportParameter = "cleave_report"

// FromProto reads a gRPC request. Raw contents are kept, not copied: the message must not be used afterwards. Every input of
// the result has its Value.
func FromProto(m *oippb.ModelInferRequest) (*Request, error) {
	raw := m.GetRawInputContents()
	switch {
	case len(m.GetInputs()) == 0:
		return nil, fmt.Errorf("%w: no inputs", ErrMalformed)
	case len(m.GetInputs()) > MaxTensors:
		return nil, fmt.Errorf("%w: %d inputs, limit %d", ErrMalformed, len(m.GetInputs()), MaxTensors)
	case len(raw) != 0 && len(raw) != len(m.GetInputs()):
		return nil, fmt.Errorf("%w: raw_input_contents has %d entries for %d inputs", ErrMalformed, len(raw), len(m.GetInputs()))
	}
	r := &Request{ID: m.GetId(), Parameters: fromParameters(m.GetParameters())}
	for i, in := range m.GetInputs() {
		t := Tensor{Name: in.GetName(), Datatype: in.GetDatatype(), Parameters: fromParameters(in.GetParameters())}
		var err error
		if t.Shape, err = fromShape(in.GetShape()); err == nil {
			if len(raw) != 0 {
				t.Value, err = fromRaw(in, t.Shape, raw[i])
			} else {
				t.Value, err = fromContents(in.GetDatatype(), t.Shape, in.GetContents())
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%w: input %q: %w", ErrMalformed, in.GetName(), err)
		}
		r.Inputs = append(r.Inputs, t)
	}
	for _, out := range m.GetOutputs() {
		r.Outputs = append(r.Outputs, WantedOutput{Name: out.GetName(), Parameters: fromParameters(out.GetParameters())})
	}
	return r, nil
}

func fromRaw(in *oippb.ModelInferRequest_InferInputTensor, shape tensor.Shape, raw []byte) (*tensor.Tensor, error) {
	if in.GetContents() != nil {
		return nil, fmt.Errorf("has contents beside raw_input_contents")
	}
	d, err := ParseDatatype(in.GetDatatype())
	if err != nil {
		return nil, err
	}
	return decodeBinary(d, shape, raw)
}

func fromShape(dims []int64) (tensor.Shape, error) {
	if len(dims) > MaxRank {
		return nil, fmt.Errorf("%d dimensions, limit %d", len(dims), MaxRank)
	}
	shape := make(tensor.Shape, len(dims))
	for i, d := range dims {
		if shape[i] = int(d); int64(shape[i]) != d {
			return nil, fmt.Errorf("dimension %d is %d", i, d)
		}
	}
	return shape, nil
}

// fromParameters gives numbers the type that they have in JSON, so that a request means the same either way.
func fromParameters(m map[string]*oippb.InferParameter) Parameters {
	if len(m) == 0 {
		return nil
	}
	p := make(Parameters, len(m))
	for name, v := range m {
		switch c := v.GetParameterChoice().(type) {
		case *oippb.InferParameter_BoolParam:
			p[name] = c.BoolParam
		case *oippb.InferParameter_StringParam:
			p[name] = c.StringParam
		case *oippb.InferParameter_Int64Param:
			p[name] = float64(c.Int64Param)
		case *oippb.InferParameter_Uint64Param:
			p[name] = float64(c.Uint64Param)
		case *oippb.InferParameter_DoubleParam:
			p[name] = c.DoubleParam
		}
	}
	return p
}

// ToProto writes a gRPC response. Each output needs Name and Value. All outputs are raw where raw says so or where one of them
// has a type that the protocol's contents lack.
func ToProto(r *Response, raw bool) (*oippb.ModelInferResponse, error) {
	m := &oippb.ModelInferResponse{ModelName: r.ModelName, ModelVersion: r.ModelVersion, Id: r.ID}
	m.Parameters = toParameters(r.Parameters)
	if r.Report != nil {
		m.Parameters[ReportParameter] = toParameter(string(r.Report))
	}
	raw = raw || slices.ContainsFunc(r.Outputs, func(t Tensor) bool { return rawOnly(t.Value.DType()) })
	for _, t := range r.Outputs {
		d, err := Datatype(t.Value.DType())
		if err != nil {
			return nil, fmt.Errorf("encode output %q: %w", t.Name, err)
		}
		out := &oippb.ModelInferResponse_InferOutputTensor{Name: t.Name, Datatype: d, Shape: toShape(t.Value.Shape())}
		if raw {
			m.RawOutputContents = append(m.RawOutputContents, appendBinary([]byte{}, t.Value))
		} else {
			out.Contents = toContents(t.Value)
		}
		m.Outputs = append(m.Outputs, out)
	}
	return m, nil
}

// toParameters never gives nil.
func toParameters(p Parameters) map[string]*oippb.InferParameter {
	m := make(map[string]*oippb.InferParameter, len(p))
	for name, v := range p {
		m[name] = toParameter(v)
	}
	return m
}

func toParameter(v any) *oippb.InferParameter {
	switch v := v.(type) {
	case bool:
		return &oippb.InferParameter{ParameterChoice: &oippb.InferParameter_BoolParam{BoolParam: v}}
	case float64:
		return &oippb.InferParameter{ParameterChoice: &oippb.InferParameter_DoubleParam{DoubleParam: v}}
	default:
		return &oippb.InferParameter{ParameterChoice: &oippb.InferParameter_StringParam{StringParam: fmt.Sprint(v)}}
	}
}

// ProtoMetadata is ts as gRPC's metadata of a model has it.
func ProtoMetadata(ts []TensorMetadata) []*oippb.ModelMetadataResponse_TensorMetadata {
	out := make([]*oippb.ModelMetadataResponse_TensorMetadata, len(ts))
	for i, t := range ts {
		out[i] = &oippb.ModelMetadataResponse_TensorMetadata{Name: t.Name, Datatype: t.Datatype, Shape: toShape(t.Shape)}
	}
	return out
}

func toShape(dims []int) []int64 {
	shape := make([]int64, len(dims))
	for i, n := range dims {
		shape[i] = int64(n)
	}
	return shape
}
