package oip

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/cleave-mesh/cleave/internal/oippb"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// text is a tensor of strings.
func text(s ...string) *tensor.Tensor {
	t, err := tensor.FromStrings(tensor.Shape{len(s)}, s)
	if err != nil {
		panic(err)
	}
	return t
}

// every is a tensor of each datatype, extremes included.
var every = []*tensor.Tensor{
	tensor.Of(tensor.Bool, tensor.Shape{3}, true, false, true),
	tensor.Of(tensor.Int8, tensor.Shape{2, 1}, int8(-128), 127),
	tensor.Of(tensor.Int16, tensor.Shape{2}, int16(math.MinInt16), math.MaxInt16),
	tensor.Of(tensor.Int32, tensor.Shape{2}, int32(math.MinInt32), math.MaxInt32),
	tensor.Of(tensor.Int64, tensor.Shape{2}, int64(math.MinInt64), math.MaxInt64),
	tensor.Of(tensor.Uint8, tensor.Shape{2}, uint8(0), 255),
	tensor.Of(tensor.Uint16, tensor.Shape{1}, uint16(65535)),
	tensor.Of(tensor.Uint32, tensor.Shape{1}, uint32(math.MaxUint32)),
	tensor.Of(tensor.Uint64, tensor.Shape{}, uint64(math.MaxUint64)),
	tensor.Of(tensor.Float32, tensor.Shape{2}, float32(math.Inf(1)), 1e-40),
	tensor.Of(tensor.Float64, tensor.Shape{0, 3}, []float64{}...),
	text("", "a\x00b"),
	tensor.Of(tensor.Float16, tensor.Shape{2}, uint16(0x3c00), 0x7e00),
	tensor.Of(tensor.BFloat16, tensor.Shape{1}, uint16(0x3f80)),
}

// asRequest turns the outputs of a response into the inputs of a request, field by field, as a chain of servers would.
func asRequest(t *testing.T, r *oippb.ModelInferResponse) *oippb.ModelInferRequest {
	t.Helper()
	m := &oippb.ModelInferRequest{RawInputContents: r.GetRawOutputContents()}
	for _, o := range r.GetOutputs() {
		m.Inputs = append(m.Inputs, &oippb.ModelInferRequest_InferInputTensor{
			Name: o.GetName(), Datatype: o.GetDatatype(), Shape: o.GetShape(), Contents: o.GetContents(),
		})
	}
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var back oippb.ModelInferRequest
	if err := proto.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	return &back
}

func TestProtoCarriesEveryDatatype(t *testing.T) {
	for _, want := range every {
		for _, raw := range []bool{false, true} {
			m, err := ToProto(&Response{Outputs: []Tensor{{Name: "y", Value: want}}}, raw)
			if err != nil {
				t.Fatal(err)
			}
			if typed := m.Outputs[0].Contents != nil; typed != (!raw && !rawOnly(want.DType())) {
				t.Errorf("%v, raw %v: typed contents %v", want, raw, typed)
			}
			r, err := FromProto(asRequest(t, m))
			if err != nil {
				t.Fatalf("%v, raw %v: %v", want, raw, err)
			}
			if !r.Inputs[0].Value.Equal(want) {
				t.Errorf("%v, raw %v: got %v", want, raw, r.Inputs[0].Value)
			}
		}
	}
}

func TestProtoCarriesTheRest(t *testing.T) {
	r, err := FromProto(&oippb.ModelInferRequest{
		Id: "q7",
		Parameters: map[string]*oippb.InferParameter{
			"report":      {ParameterChoice: &oippb.InferParameter_BoolParam{BoolParam: true}},
			"strategy":    {ParameterChoice: &oippb.InferParameter_StringParam{StringParam: "best"}},
			"deadline_ms": {ParameterChoice: &oippb.InferParameter_Int64Param{Int64Param: 50}},
			"u":           {ParameterChoice: &oippb.InferParameter_Uint64Param{Uint64Param: 3}},
			"d":           {ParameterChoice: &oippb.InferParameter_DoubleParam{DoubleParam: 0.5}},
			"empty":       {},
		},
		Inputs: []*oippb.ModelInferRequest_InferInputTensor{
			{Name: "x", Datatype: "FP32", Shape: []int64{2}, Contents: &oippb.InferTensorContents{Fp32Contents: []float32{1, 2}}},
		},
		Outputs: []*oippb.ModelInferRequest_InferRequestedOutputTensor{{Name: "y"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := r.Parameters
	if on, _ := p.Bool("report"); !on || p.String("strategy") != "best" || p["deadline_ms"] != 50.0 || p["u"] != 3.0 || p["d"] != 0.5 || len(p) != 5 {
		t.Errorf("parameters %v", p)
	}
	if r.ID != "q7" || len(r.Outputs) != 1 || r.Outputs[0].Name != "y" || r.Inputs[0].Name != "x" {
		t.Errorf("request %+v", r)
	}
	m, err := ToProto(&Response{ModelName: "m", ModelVersion: "1", ID: "q7", Parameters: Parameters{"exit": "early", "sure": true, "share": 0.5}, Report: json.RawMessage(`{"total_ms":1}`)}, false)
	if err != nil {
		t.Fatal(err)
	}
	if m.ModelName != "m" || m.ModelVersion != "1" || m.Id != "q7" || m.Parameters[ReportParameter].GetStringParam() != `{"total_ms":1}` ||
		m.Parameters["exit"].GetStringParam() != "early" || !m.Parameters["sure"].GetBoolParam() || m.Parameters["share"].GetDoubleParam() != 0.5 {
		t.Errorf("response %v", m)
	}
}

func TestFromProtoRefuses(t *testing.T) {
	input := func(datatype string, c *oippb.InferTensorContents, shape ...int64) *oippb.ModelInferRequest {
		return &oippb.ModelInferRequest{Inputs: []*oippb.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: datatype, Shape: shape, Contents: c}}}
	}
	floats := &oippb.InferTensorContents{Fp32Contents: []float32{1, 2}}
	raw := func(m *oippb.ModelInferRequest, b ...[]byte) *oippb.ModelInferRequest {
		m.RawInputContents = b
		return m
	}
	many := &oippb.ModelInferRequest{Inputs: make([]*oippb.ModelInferRequest_InferInputTensor, MaxTensors+1)}
	for _, tt := range []struct {
		name, part string
		m          *oippb.ModelInferRequest
	}{
		{"nothing", "no inputs", &oippb.ModelInferRequest{}},
		{"many", "limit", many},
		{"unknown type", "FP33", input("FP33", floats, 2)},
		{"negative size", "bad shape", input("FP32", floats, -2)},
		{"overflow", "", input("FP32", floats, 1<<62, 1<<62)},
		{"rank", "limit", input("FP32", floats, make([]int64, MaxRank+1)...)},
		{"too few", "2 elements", input("FP32", floats, 1000000000)},
		{"too many", "2 elements", input("FP32", floats, 1)},
		{"wrong field", "0 elements", input("FP64", floats, 2)},
		{"no contents", "0 elements", input("FP32", nil, 2)},
		{"out of range", "element 1", input("INT8", &oippb.InferTensorContents{IntContents: []int32{127, 128}}, 2)},
		{"half without raw", "raw_input_contents", input("FP16", floats, 2)},
		{"raw of another size", "", raw(input("FP32", nil, 2), []byte{1})},
		{"raw beside contents", "beside", raw(input("FP32", floats, 2), make([]byte, 8))},
		{"raw for other inputs", "2 entries", raw(input("FP32", nil, 2), make([]byte, 8), nil)},
		{"raw strings cut off", "cut off", raw(input("BYTES", nil, 1), []byte{9, 0, 0, 0, 'a'})},
	} {
		if _, err := FromProto(tt.m); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), tt.part) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// FuzzFromProto: no request panics, and one that is accepted holds no more elements than bytes came.
func FuzzFromProto(f *testing.F) {
	for _, v := range every {
		for _, raw := range []bool{false, true} {
			m, err := ToProto(&Response{Outputs: []Tensor{{Name: "y", Value: v}}}, raw)
			if err != nil {
				f.Fatal(err)
			}
			b, err := proto.Marshal(m) // fields 5 and 6 of a response are 5 and 7 of a request: mutations find the rest
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m oippb.ModelInferRequest
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		r, err := FromProto(&m)
		if err != nil {
			return
		}
		for _, in := range r.Inputs {
			if in.Value == nil || in.Value.Len() > len(b) {
				t.Fatalf("input %q holds %v from %d bytes", in.Name, in.Value, len(b))
			}
		}
	})
}
