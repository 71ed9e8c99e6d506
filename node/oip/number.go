package oip

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// decodeJSON reads data, an array of elements that is flat or nested as shape says.
func decodeJSON(d tensor.DType, shape tensor.Shape, data json.RawMessage) (*tensor.Tensor, error) {
	if len(data) == 0 || data[0] != '[' {
		return nil, errors.New("data is no array")
	}
	n, err := shape.Elements()
	if err != nil {
		return nil, err
	}
	// Every element takes a digit and a comma at least: a shape that promises more than the text can hold allocates nothing.
	if n > len(data)/2+1 {
		return nil, fmt.Errorf("shape %v has %d elements, data has fewer", shape, n)
	}
	s := scanner{data: data, shape: shape}
	if d == tensor.String {
		text := make([]string, n)
		if err := s.each(n, func(i int, token []byte) error { return json.Unmarshal(token, &text[i]) }); err != nil {
			return nil, err
		}
		return tensor.FromStrings(shape, text)
	}
	t, err := tensor.New(d, shape)
	if err != nil {
		return nil, err
	}
	set, err := setter(t)
	if err != nil {
		return nil, err
	}
	if err := s.each(n, set); err != nil {
		return nil, err
	}
	return t, nil
}

// setter stores a JSON token as element i of t.
func setter(t *tensor.Tensor) (func(i int, token []byte) error, error) {
	switch t.DType() {
	case tensor.Bool:
		v := tensor.Data[bool](t)
		return func(i int, token []byte) (err error) {
			switch string(token) {
			case "true", "1":
				v[i] = true
			case "false", "0":
			default:
				err = fmt.Errorf("element %d: %q is no boolean", i, token)
			}
			return err
		}, nil
	case tensor.Float32:
		v := tensor.Data[float32](t)
		return func(i int, token []byte) error {
			f, err := strconv.ParseFloat(string(token), 32)
			v[i] = float32(f)
			return err
		}, nil
	case tensor.Float64:
		v := tensor.Data[float64](t)
		return func(i int, token []byte) (err error) {
			v[i], err = strconv.ParseFloat(string(token), 64)
			return err
		}, nil
	case tensor.Uint8:
		return unsigned(tensor.Data[uint8](t), 8), nil
	case tensor.Uint16:
		return unsigned(tensor.Data[uint16](t), 16), nil
	case tensor.Uint32:
		return unsigned(tensor.Data[uint32](t), 32), nil
	case tensor.Uint64:
		return unsigned(tensor.Data[uint64](t), 64), nil
	case tensor.Int8:
		return signed(tensor.Data[int8](t), 8), nil
	case tensor.Int16:
		return signed(tensor.Data[int16](t), 16), nil
	case tensor.Int32:
		return signed(tensor.Data[int32](t), 32), nil
	case tensor.Int64:
		return signed(tensor.Data[int64](t), 64), nil
	default:
		return nil, fmt.Errorf("%s has no JSON form: send it as binary data", t.DType())
	}
}

func unsigned[T uint8 | uint16 | uint32 | uint64](v []T, bits int) func(int, []byte) error {
	return func(i int, token []byte) error {
		u, err := strconv.ParseUint(string(token), 10, bits)
		if err != nil {
			f, ferr := strconv.ParseFloat(string(token), 64) // "1.0" and "1e3" are whole numbers too
			if ferr != nil || f < 0 || f != math.Trunc(f) || f >= math.Ldexp(1, min(bits, 53)) {
				return err
			}
			u = uint64(f)
		}
		v[i] = T(u)
		return nil
	}
}

func signed[T int8 | int16 | int32 | int64](v []T, bits int) func(int, []byte) error {
	return func(i int, token []byte) error {
		n, err := strconv.ParseInt(string(token), 10, bits)
		if err != nil {
			f, ferr := strconv.ParseFloat(string(token), 64)
			if ferr != nil || f != math.Trunc(f) || math.Abs(f) >= math.Ldexp(1, min(bits-1, 53)) {
				return err
			}
			n = int64(f)
		}
		v[i] = T(n)
		return nil
	}
}

// scanner walks an array that encoding/json has already found to be valid.
type scanner struct {
	data  []byte
	shape tensor.Shape
}

// each calls set for every element in order. It fails when the array is neither flat with n elements nor nested exactly
// as the shape says.
func (s *scanner) each(n int, set func(i int, token []byte) error) error {
	var counts [MaxRank + 1]int // members seen of the open array at each depth
	depth, deepest, i := 0, 0, 0
	for p := 0; p < len(s.data); {
		switch c := s.data[p]; c {
		case ' ', '\t', '\n', '\r', ',':
			p++
		case '[':
			if depth > 0 {
				counts[depth]++
			}
			if depth++; depth > max(len(s.shape), 1) {
				return fmt.Errorf("data is nested deeper than shape %v", s.shape)
			}
			deepest = max(deepest, depth)
			counts[depth] = 0
			p++
		case ']':
			if deepest > 1 && counts[depth] != s.shape[depth-1] {
				return fmt.Errorf("data has an array of %d at depth %d, shape %v", counts[depth], depth, s.shape)
			}
			depth--
			p++
		case '{':
			return errors.New("data holds an object")
		default:
			end := tokenEnd(s.data, p)
			if i >= n {
				return fmt.Errorf("data has more than the %d elements of shape %v", n, s.shape)
			}
			if deepest > 1 && depth != len(s.shape) {
				return fmt.Errorf("element %d stands at depth %d of shape %v", i, depth, s.shape)
			}
			if err := set(i, s.data[p:end]); err != nil {
				return err
			}
			counts[depth]++
			i++
			p = end
		}
	}
	if i != n {
		return fmt.Errorf("data has %d elements, shape %v needs %d", i, s.shape, n)
	}
	return nil
}

// tokenEnd is the index after the string, number or literal that begins at p.
func tokenEnd(data []byte, p int) int {
	if data[p] == '"' {
		for p++; p < len(data) && data[p] != '"'; p++ {
			if data[p] == '\\' {
				p++
			}
		}
		return min(p+1, len(data))
	}
	for p < len(data) && data[p] != ',' && data[p] != ']' && data[p] > ' ' {
		p++
	}
	return p
}
