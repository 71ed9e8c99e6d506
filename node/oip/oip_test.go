package oip

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

func TestDecodeRequestJSON(t *testing.T) {
	tests := []struct {
		name, input string
		want        *tensor.Tensor
	}{
		{"flat", `{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2.5,-3e1,0]}`, tensor.Of(tensor.Float32, tensor.Shape{2, 2}, float32(1), 2.5, -30, 0)},
		{"nested", `{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2],[3,4]]}`, tensor.Of(tensor.Float32, tensor.Shape{2, 2}, float32(1), 2, 3, 4)},
		{"scalar", `{"name":"x","shape":[],"datatype":"INT64","data":[7]}`, tensor.Of(tensor.Int64, tensor.Shape{}, int64(7))},
		{"empty", `{"name":"x","shape":[0,3],"datatype":"FP32","data":[]}`, tensor.Of[float32](tensor.Float32, tensor.Shape{0, 3})},
		{"bool", `{"name":"x","shape":[3],"datatype":"BOOL","data":[true,false,1]}`, tensor.Of(tensor.Bool, tensor.Shape{3}, true, false, true)},
		{"uint8", `{"name":"x","shape":[2],"datatype":"UINT8","data":[0,255]}`, tensor.Of(tensor.Uint8, tensor.Shape{2}, uint8(0), 255)},
		{"int8 as float", `{"name":"x","shape":[1],"datatype":"INT8","data":[-5.0]}`, tensor.Of(tensor.Int8, tensor.Shape{1}, int8(-5))},
		{"uint64", `{"name":"x","shape":[1],"datatype":"UINT64","data":[18446744073709551615]}`, tensor.Of(tensor.Uint64, tensor.Shape{1}, uint64(math.MaxUint64))},
		{"fp64", `{"name":"x","shape":[1],"datatype":"FP64","data":[1e300]}`, tensor.Of(tensor.Float64, tensor.Shape{1}, 1e300)},
		{"spaces", "{\"name\":\"x\",\"shape\":[2],\"datatype\":\"INT32\",\"data\":[ 1 ,\n\t-2 ]}", tensor.Of(tensor.Int32, tensor.Shape{2}, int32(1), -2)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := DecodeRequest([]byte(`{"id":"7","inputs":[`+tt.input+`]}`), "")
			if err != nil {
				t.Fatal(err)
			}
			if r.ID != "7" || !r.Inputs[0].Value.Equal(tt.want) {
				t.Errorf("got %v", r.Inputs[0].Value)
			}
		})
	}
	r, err := DecodeRequest([]byte(`{"inputs":[{"name":"s","shape":[3],"datatype":"BYTES","data":["a","b\"],[",""]}]}`), "")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(r.Inputs[0].Value.Strings(), "|"); got != `a|b"],[|` {
		t.Errorf("strings %q", got)
	}
}

func TestDecodeRequestRefuses(t *testing.T) {
	one := func(s string) string { return `{"inputs":[` + s + `]}` }
	tests := []struct{ name, body, header string }{
		{"no JSON", "hello", ""},
		{"no inputs", `{"inputs":[]}`, ""},
		{"two documents", one(`{"name":"x","shape":[1],"datatype":"FP32","data":[1]}`) + `{}`, ""},
		{"unknown type", one(`{"name":"x","shape":[1],"datatype":"FP33","data":[1]}`), ""},
		{"negative size", one(`{"name":"x","shape":[-1],"datatype":"FP32","data":[1]}`), ""},
		{"huge shape", one(`{"name":"x","shape":[4611686018427387904,4611686018427387904],"datatype":"FP32","data":[1]}`), ""},
		{"large shape, little data", one(`{"name":"x","shape":[1000000000],"datatype":"FP32","data":[1]}`), ""},
		{"too few", one(`{"name":"x","shape":[2],"datatype":"FP32","data":[1]}`), ""},
		{"too many", one(`{"name":"x","shape":[2],"datatype":"FP32","data":[1,2,3]}`), ""},
		{"ragged", one(`{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2,3],[4]]}`), ""},
		{"too deep", one(`{"name":"x","shape":[1],"datatype":"FP32","data":[[1]]}`), ""},
		{"mixed depth", one(`{"name":"x","shape":[2,1],"datatype":"FP32","data":[[1],2]}`), ""},
		{"data is an object", one(`{"name":"x","shape":[1],"datatype":"FP32","data":{"a":1}}`), ""},
		{"object within", one(`{"name":"x","shape":[1],"datatype":"FP32","data":[{"a":1}]}`), ""},
		{"overflow", one(`{"name":"x","shape":[1],"datatype":"UINT8","data":[256]}`), ""},
		{"fraction", one(`{"name":"x","shape":[1],"datatype":"INT32","data":[1.5]}`), ""},
		{"text for a number", one(`{"name":"x","shape":[1],"datatype":"FP32","data":["a"]}`), ""},
		{"FP16 as JSON", one(`{"name":"x","shape":[1],"datatype":"FP16","data":[1]}`), ""},
		{"no data", one(`{"name":"x","shape":[1],"datatype":"FP32"}`), ""},
		{"header beyond the body", one(`{"name":"x","shape":[1],"datatype":"FP32","data":[1]}`), "1000"},
		{"header no number", one(`{"name":"x","shape":[1],"datatype":"FP32","data":[1]}`), "many"},
		{"header negative", one(`{"name":"x","shape":[1],"datatype":"FP32","data":[1]}`), "-1"},
		{"rank", one(`{"name":"x","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"datatype":"FP32","data":[1]}`), ""},
		{"binary size without bytes", one(`{"name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}`), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := DecodeRequest([]byte(tt.body), tt.header); !errors.Is(err, ErrMalformed) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestBinaryRoundTrip(t *testing.T) {
	text, err := tensor.FromStrings(tensor.Shape{2}, []string{"héllo", ""})
	if err != nil {
		t.Fatal(err)
	}
	values := []*tensor.Tensor{
		tensor.Of(tensor.Float32, tensor.Shape{1, 3}, float32(1), float32(math.Inf(1)), -0.5),
		tensor.Of(tensor.Float16, tensor.Shape{2}, uint16(0x3c00), 0x7e00),
		tensor.Of(tensor.Bool, tensor.Shape{2}, true, false),
		tensor.Of[int64](tensor.Int64, tensor.Shape{0}),
		text,
	}
	r := &Request{ID: "a"}
	for i, v := range values {
		r.Inputs = append(r.Inputs, Tensor{Name: string(rune('a' + i)), Value: v})
	}
	body, header, err := EncodeRequest(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeRequest(body, header)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		if !got.Inputs[i].Value.Equal(v) {
			t.Errorf("input %d is %v, want %v", i, got.Inputs[i].Value, v)
		}
	}
	if _, err := DecodeRequest(body[:len(body)-1], header); !errors.Is(err, ErrMalformed) {
		t.Errorf("a cut body gives %v", err)
	}
	if _, err := DecodeRequest(append(body, 0), header); !errors.Is(err, ErrMalformed) {
		t.Errorf("a long body gives %v", err)
	}
}

func TestEncodeResponse(t *testing.T) {
	r := &Response{ModelName: "m", ModelVersion: "1", Outputs: []Tensor{
		{Name: "p", Value: tensor.Of(tensor.Float32, tensor.Shape{2}, float32(0.1), 2)},
		{Name: "q", Value: tensor.Of(tensor.Float32, tensor.Shape{1}, float32(3))},
	}}
	body, header, err := EncodeResponse(r, func(name string) bool { return name == "q" })
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(body, []byte(`"data":[0.1,2]`)) || !bytes.Contains(body, []byte(`"binary_data_size":4`)) {
		t.Errorf("body %s", body)
	}
	got, err := DecodeResponse(body, header)
	if err != nil || !got.Outputs[0].Value.Equal(r.Outputs[0].Value) || !got.Outputs[1].Value.Equal(r.Outputs[1].Value) {
		t.Errorf("got %+v, %v", got, err)
	}
	nan := &Response{Outputs: []Tensor{{Name: "n", Value: tensor.Of(tensor.Float32, tensor.Shape{1}, float32(math.NaN()))}}}
	if _, _, err := EncodeResponse(nan, func(string) bool { return false }); err == nil || !strings.Contains(err.Error(), "binary") {
		t.Errorf("NaN as JSON gives %v", err)
	}
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add([]byte(`{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2],[3,4]]}]}`), "")
	f.Add([]byte(`{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}]}....`), "91")
	f.Add([]byte(`{"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","data":["\\"]}]}`), "")
	f.Fuzz(func(t *testing.T, body []byte, header string) {
		r, err := DecodeRequest(body, header)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("error of another kind: %v", err)
			}
			return
		}
		again := &Request{ID: r.ID}
		for _, in := range r.Inputs {
			again.Inputs = append(again.Inputs, Tensor{Name: in.Name, Value: in.Value})
		}
		b, h, err := EncodeRequest(again)
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeRequest(b, h)
		if err != nil {
			t.Fatal(err)
		}
		for i := range r.Inputs {
			if !back.Inputs[i].Value.Equal(r.Inputs[i].Value) {
				t.Errorf("input %d changed", i)
			}
		}
	})
}
