package oip

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// Limits of a message.
const (
	// MaxTensors is the most inputs of a request or outputs of a response.
	MaxTensors = 1024
	// MaxRank is the most dimensions of a tensor.
	MaxRank = 16
)

// ErrMalformed is wrapped by every error about a body that breaks the protocol.
var ErrMalformed = errors.New("malformed inference message")

// DecodeRequest reads a request body. headerLength is the value of the HTTP header of that name, "" when it is absent.
// Every input of the result has its Value.
func DecodeRequest(body []byte, headerLength string) (*Request, error) {
	head, raw, err := cutHeader(body, headerLength)
	if err != nil {
		return nil, err
	}
	var r Request
	if err := unmarshal(head, &r); err != nil {
		return nil, err
	}
	if len(r.Inputs) == 0 {
		return nil, fmt.Errorf("%w: no inputs", ErrMalformed)
	}
	if err := decodeTensors(r.Inputs, raw, "input"); err != nil {
		return nil, err
	}
	return &r, nil
}

// DecodeResponse reads a response body; every output of the result has its Value.
func DecodeResponse(body []byte, headerLength string) (*Response, error) {
	head, raw, err := cutHeader(body, headerLength)
	if err != nil {
		return nil, err
	}
	var r Response
	if err := unmarshal(head, &r); err != nil {
		return nil, err
	}
	if err := decodeTensors(r.Outputs, raw, "output"); err != nil {
		return nil, err
	}
	return &r, nil
}

func cutHeader(body []byte, headerLength string) (head, raw []byte, err error) {
	if headerLength == "" {
		return body, nil, nil
	}
	n, err := strconv.ParseUint(headerLength, 10, 63)
	if err != nil || n > uint64(len(body)) {
		return nil, nil, fmt.Errorf("%w: header %s is %q, the body has %d bytes", ErrMalformed, HeaderLength, headerLength, len(body))
	}
	return body[:n], body[n:], nil
}

func unmarshal(head []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(head))
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: bytes after the JSON document", ErrMalformed)
	}
	return nil
}

func decodeTensors(ts []Tensor, raw []byte, what string) error {
	if len(ts) > MaxTensors {
		return fmt.Errorf("%w: %d %ss, limit %d", ErrMalformed, len(ts), what, MaxTensors)
	}
	for i := range ts {
		t := &ts[i]
		var err error
		if raw, err = t.decode(raw); err != nil {
			return fmt.Errorf("%w: %s %q: %w", ErrMalformed, what, t.Name, err)
		}
		t.Data = nil
	}
	if len(raw) != 0 {
		return fmt.Errorf("%w: %d bytes after the last tensor", ErrMalformed, len(raw))
	}
	return nil
}

// decode fills in Value from Data or from the front of raw, and gives back the rest of raw.
func (t *Tensor) decode(raw []byte) ([]byte, error) {
	d, err := ParseDatatype(t.Datatype)
	if err != nil {
		return nil, err
	}
	if len(t.Shape) > MaxRank {
		return nil, fmt.Errorf("%d dimensions, limit %d", len(t.Shape), MaxRank)
	}
	shape := tensor.Shape(t.Shape)
	if _, err := shape.Elements(); err != nil {
		return nil, err
	}
	size, binaryData := t.Parameters["binary_data_size"]
	if !binaryData {
		t.Value, err = decodeJSON(d, shape, t.Data)
		return raw, err
	}
	if len(t.Data) != 0 {
		return nil, errors.New("has both data and binary_data_size")
	}
	f, ok := size.(float64)
	if !ok || f < 0 || f != math.Trunc(f) || f > float64(len(raw)) {
		return nil, fmt.Errorf("binary_data_size is %v, %d bytes are left", size, len(raw))
	}
	t.Value, err = decodeBinary(d, shape, raw[:int(f)])
	return raw[int(f):], err
}

// decodeBinary reads raw elements. It keeps b, and makes bytes of BOOL 0 or 1.
func decodeBinary(d tensor.DType, shape tensor.Shape, b []byte) (*tensor.Tensor, error) {
	if d == tensor.Bool { // any other byte would be a bool that is neither true nor false
		for i := range b {
			b[i] = min(b[i], 1)
		}
	}
	if d != tensor.String {
		return tensor.FromBytes(d, shape, b)
	}
	n, err := shape.Elements()
	if err != nil {
		return nil, err
	}
	if n > len(b)/4 {
		return nil, fmt.Errorf("%d elements do not fit in %d bytes", n, len(b))
	}
	text := make([]string, n)
	for i := range text {
		if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
			return nil, fmt.Errorf("element %d is cut off", i)
		}
		size := int(binary.LittleEndian.Uint32(b))
		text[i], b = string(b[4:4+size]), b[4+size:]
	}
	if len(b) != 0 {
		return nil, fmt.Errorf("%d bytes after the last element", len(b))
	}
	return tensor.FromStrings(shape, text)
}
