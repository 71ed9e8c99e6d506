package oip

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// EncodeResponse writes a response body. Outputs whose wanted says so are raw after the JSON; headerLength is then the
// value of the HTTP header of that name, else "". Each output needs Name and Value; Shape and Datatype are filled in.
func EncodeResponse(r *Response, raw func(output string) bool) (body []byte, headerLength string, err error) {
	tail, err := encodeTensors(r.Outputs, raw, "output")
	if err != nil {
		return nil, "", err
	}
	return join(r, tail)
}

// EncodeRequest writes a request body with every input raw after the JSON.
func EncodeRequest(r *Request) (body []byte, headerLength string, err error) {
	tail, err := encodeTensors(r.Inputs, func(string) bool { return true }, "input")
	if err != nil {
		return nil, "", err
	}
	return join(r, tail)
}

func join(message any, tail []byte) ([]byte, string, error) {
	head, err := json.Marshal(message)
	if err != nil {
		return nil, "", fmt.Errorf("encode inference message: %w", err)
	}
	if len(tail) == 0 {
		return head, "", nil
	}
	return append(head, tail...), strconv.Itoa(len(head)), nil
}

func encodeTensors(ts []Tensor, raw func(string) bool, what string) (tail []byte, err error) {
	for i := range ts {
		t := &ts[i]
		if t.Datatype, err = Datatype(t.Value.DType()); err != nil {
			return nil, fmt.Errorf("encode %s %q: %w", what, t.Name, err)
		}
		t.Shape = append([]int{}, t.Value.Shape()...)
		if raw(t.Name) {
			before := len(tail)
			tail = appendBinary(tail, t.Value)
			if t.Parameters == nil {
				t.Parameters = Parameters{}
			}
			t.Parameters["binary_data_size"] = len(tail) - before
			continue
		}
		if t.Data, err = appendJSON(nil, t.Value); err != nil {
			return nil, fmt.Errorf("encode %s %q: %w", what, t.Name, err)
		}
	}
	return tail, nil
}

func appendBinary(dst []byte, t *tensor.Tensor) []byte {
	if t.DType() != tensor.String {
		return append(dst, t.Bytes()...)
	}
	for _, s := range t.Strings() {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(s)))
		dst = append(dst, s...)
	}
	return dst
}

// appendJSON writes t's elements as one flat array.
func appendJSON(dst []byte, t *tensor.Tensor) ([]byte, error) {
	switch t.DType() {
	case tensor.String:
		return array(dst, t.Strings(), func(dst []byte, s string) ([]byte, error) {
			b, err := json.Marshal(s)
			return append(dst, b...), err
		})
	case tensor.Bool:
		return array(dst, tensor.Data[bool](t), func(dst []byte, v bool) ([]byte, error) { return strconv.AppendBool(dst, v), nil })
	case tensor.Float32:
		return array(dst, tensor.Data[float32](t), func(dst []byte, v float32) ([]byte, error) { return appendFloat(dst, float64(v), 32) })
	case tensor.Float64:
		return array(dst, tensor.Data[float64](t), func(dst []byte, v float64) ([]byte, error) { return appendFloat(dst, v, 64) })
	case tensor.Uint8:
		return array(dst, tensor.Data[uint8](t), appendUint)
	case tensor.Uint16:
		return array(dst, tensor.Data[uint16](t), appendUint)
	case tensor.Uint32:
		return array(dst, tensor.Data[uint32](t), appendUint)
	case tensor.Uint64:
		return array(dst, tensor.Data[uint64](t), appendUint)
	case tensor.Int8:
		return array(dst, tensor.Data[int8](t), appendInt)
	case tensor.Int16:
		return array(dst, tensor.Data[int16](t), appendInt)
	case tensor.Int32:
		return array(dst, tensor.Data[int32](t), appendInt)
	case tensor.Int64:
		return array(dst, tensor.Data[int64](t), appendInt)
	default:
		return nil, fmt.Errorf("%s has no JSON form: ask for it as binary data", t.DType())
	}
}

func array[T any](dst []byte, v []T, one func([]byte, T) ([]byte, error)) (_ []byte, err error) {
	dst = append(dst, '[')
	for i, x := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = one(dst, x); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

func appendUint[T uint8 | uint16 | uint32 | uint64](dst []byte, v T) ([]byte, error) {
	return strconv.AppendUint(dst, uint64(v), 10), nil
}

func appendInt[T int8 | int16 | int32 | int64](dst []byte, v T) ([]byte, error) {
	return strconv.AppendInt(dst, int64(v), 10), nil
}

func appendFloat(dst []byte, v float64, bits int) ([]byte, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil, fmt.Errorf("JSON has no %v: ask for the output as binary data", v)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, bits), nil
}
