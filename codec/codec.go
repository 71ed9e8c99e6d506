// Package codec turns boundary tensors into bytes and back.
//
// A boundary tensor travels as one frame: a header that says everything needed to decode it (element type, shape, codec,
// parameters, checksum), then chunks that decode independently, so that encoding, sending, receiving and decoding
// overlap. A Spec names a codec and its parameters the way a plan, a flag or a report writes it: "float16",
// "int8:axis=-1", "jpeg:quality=85". Codecs know tensors, not models.
//
// All integers are little-endian; uvarint is that of encoding/binary.
//
//	frame  = header chunk*
//	header = magic "CLVT" | version u8 | codec u8 | dtype u8 | flags u8 | length u32 | body | crc u32
//	         length counts body; crc is CRC-32C of everything before it
//	body   = rank u8 | size uvarint (rank times) | chunk elements uvarint | parameter bytes uvarint | parameters
//	chunk  = index u32 | length u32 | payload (length bytes) | crc u32
//	         crc is CRC-32C of index, length and payload
//
// A tensor of n elements has ceil(n / chunk elements) chunks, in order; a tensor without elements has none. Parameters
// are the codec's own, and every codec's file draws them and the payload.
package codec

import (
	"errors"
	"fmt"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// ID is a codec's number on the wire. Numbers are append-only.
type ID uint8

// The codecs' numbers.
const (
	Raw      ID = 0
	Lossless ID = 1
	Float16  ID = 2
	BFloat16 ID = 3
	Float8   ID = 4
	Int8     ID = 5
	Int6     ID = 6
	Int4     ID = 7
	Int3     ID = 8
	Int2     ID = 9
	JPEG     ID = 10
	PNG      ID = 11
	Uniform  ID = 12
)

var (
	// ErrCorrupt is wrapped when a frame is truncated, has a wrong checksum or contradicts itself; the error says where.
	ErrCorrupt = errors.New("corrupt frame")
	// ErrLimit is wrapped when a frame declares more than Limits allow; the error names both figures.
	ErrLimit = errors.New("frame exceeds limit")
	// ErrUnsuitable is wrapped when a codec cannot carry a tensor of this type or shape.
	ErrUnsuitable = errors.New("codec does not fit tensor")
	// ErrSpec is wrapped when a Spec names an unknown codec or parameter, or a parameter has a bad value.
	ErrSpec = errors.New("bad codec spec")
	// ErrTable is wrapped when a frame or a Spec needs a calibrated table that this side does not have.
	ErrTable = errors.New("calibrated table is missing")
)

// FrameError is what every failed decoding returns. It wraps ErrCorrupt, ErrLimit or ErrTable.
type FrameError struct {
	// Chunk is the chunk's index, or -1 for the header.
	Chunk int
	// Offset is the byte in the frame at which the faulty field begins; for a fault inside a payload, that payload's start.
	Offset int
	// What says what is wrong.
	What string
	Err  error
}

func (e *FrameError) Error() string {
	where := "header"
	if e.Chunk >= 0 {
		where = fmt.Sprintf("chunk %d", e.Chunk)
	}
	return fmt.Sprintf("%v: %s at byte %d: %s", e.Err, where, e.Offset, e.What)
}

func (e *FrameError) Unwrap() error { return e.Err }

// Codec is one way to carry a tensor. It is safe for concurrent use.
type Codec interface {
	ID() ID
	// Name is what Spec strings begin with.
	Name() string
	// Lossless reports whether decoding gives back the very bits.
	Lossless(p map[string]string) bool
	// Accepts is nil when a tensor of this type and shape can be carried, else an error that wraps ErrUnsuitable or, for a
	// bad parameter, ErrSpec.
	Accepts(d tensor.DType, s tensor.Shape, p map[string]string) error
}

// Codecs lists every codec in the order of its number.
func Codecs() []Codec {
	list := make([]Codec, len(coders))
	for i, c := range coders {
		list[i] = c
	}
	return list
}

// Lookup is the codec of that name.
func Lookup(name string) (Codec, error) {
	for _, c := range coders {
		if c.Name() == name {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%w: unknown codec %q", ErrSpec, name)
}

// coders is the one table of codecs, indexed by ID.
var coders = []coder{
	Raw:      rawCodec{},
	Lossless: losslessCodec{},
	Float16:  halfCodec{id: Float16, name: "float16"},
	BFloat16: halfCodec{id: BFloat16, name: "bfloat16"},
	Float8:   halfCodec{id: Float8, name: "float8"},
	Int8:     quantCodec{id: Int8, name: "int8", bits: 8},
	Int6:     quantCodec{id: Int6, name: "int6", bits: 6},
	Int4:     quantCodec{id: Int4, name: "int4", bits: 4},
	Int3:     quantCodec{id: Int3, name: "int3", bits: 3},
	Int2:     quantCodec{id: Int2, name: "int2", bits: 2},
	JPEG:     imageCodec{id: JPEG, name: "jpeg"},
	PNG:      imageCodec{id: PNG, name: "png"},
	Uniform:  uniformCodec{},
}

// coder is what a codec implements behind its public face. A work carries the frame's header and scratch buffers; the
// tensor's buffer is w.data.
type coder interface {
	Codec
	// prepare reads p and whatever all chunks of w.data share, fills w.params, and may change w.chunkElems.
	prepare(w *work, p params) error
	// appendChunk appends the payload of elements [lo, hi).
	appendChunk(dst []byte, w *work, lo, hi int) ([]byte, error)
	// parse is the inverse of prepare: it checks and keeps what w.params say.
	parse(w *work) error
	// decodeChunk writes elements [lo, hi) of w.data; it must write all of them or fail. Payload errors wrap nothing: the
	// caller adds the place.
	decodeChunk(w *work, payload []byte, lo, hi int) error
	// bound is the error bound of a frame whose header w holds.
	bound(w *work) ErrorBound
}
