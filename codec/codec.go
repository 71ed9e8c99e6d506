// Package codec turns boundary tensors into bytes and back.
//
// A boundary tensor travels as one frame: a header that says everything needed to decode it (element type, shape, codec,
// parameters, checksum), then chunks that decode independently, so that encoding, sending, receiving and decoding
// overlap. A Spec names a codec and its parameters the way a plan, a flag or a report writes it: "float16",
// "int8:axis=-1", "jpeg:quality=85". Codecs know tensors, not models.
package codec

import (
	"errors"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// ID is a codec's number on the wire. Numbers are append-only.
type ID uint8

// Spec is a codec with its parameters. The zero Spec is Raw: the tensor's own bytes.
type Spec struct {
	ID ID
	// Params are the codec's own, in the units its doc names; nil means its defaults.
	Params map[string]string
}

var (
	// ErrCorrupt is wrapped when a frame is truncated, has a wrong checksum or contradicts itself; the error says where.
	ErrCorrupt = errors.New("corrupt frame")
	// ErrLimit is wrapped when a frame declares more than Limits allow; the error names both figures.
	ErrLimit = errors.New("frame exceeds limit")
	// ErrUnsuitable is wrapped when a codec cannot carry a tensor of this type or shape.
	ErrUnsuitable = errors.New("codec does not fit tensor")
)

// Codec is one way to carry a tensor. It is safe for concurrent use.
type Codec interface {
	ID() ID
	// Name is what Spec strings begin with.
	Name() string
	// Lossless reports whether decoding gives back the very bits.
	Lossless(p map[string]string) bool
	// Accepts is nil when a tensor of this type and shape can be carried, else an error that wraps ErrUnsuitable.
	Accepts(d tensor.DType, s tensor.Shape, p map[string]string) error
}

// Estimate is what the planner needs to know of a codec for a tensor of a given type and shape.
type Estimate struct {
	// Bytes is the expected frame size; an upper bound when Exact.
	Bytes int64
	Exact bool
	// EncodeNS and DecodeNS are nanoseconds per element on this machine, one core.
	EncodeNS, DecodeNS float64
	// Error is the expected relative error: root mean square of the difference over the root mean square of the tensor.
	Error float64
}
