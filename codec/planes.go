package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/cleave-mesh/cleave/codec/internal/simd"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// losslessCodec splits the elements of a chunk into byte planes and codes each plane that gains.
//
// Floats are rotated left by one bit first, so that a whole exponent stands in the top plane and the sign at the bottom.
// When enough elements are +0 (activations after ReLU often are, more than half of them), a bit mask says which are not,
// and only those enter the planes. String tensors are coded as the bytes that raw would write.
//
//	payload = mode u8 | planes                                     mode 0: all elements
//	        | mode u8 | coded mask | planes of the others          mode 1: mask has a bit per element, low bits first
//	        | mode u8 | coded bytes                                mode 2: elements of at most one byte
//	        | mode u8 | length uvarint | coded bytes               mode 2: the text of a String tensor
//	        | mode u8 | zstd frame of the elements' bytes          mode 3: a tensor that repeats itself
//	planes  = coded byte string per plane, the lowest byte's first
type losslessCodec struct{}

// The modes of a lossless chunk.
const (
	planesAll    = 0
	planesMasked = 1
	planesBytes  = 2
	planesZstd   = 3
)

// maskFrom is the share of zeros from which on a mask is worth its cost: one in maskFrom elements.
const maskFrom = 16

func (losslessCodec) ID() ID                          { return Lossless }
func (losslessCodec) Name() string                    { return "lossless" }
func (losslessCodec) Lossless(map[string]string) bool { return true }
func (losslessCodec) check(p params) error            { return p.only() }

func (c losslessCodec) Accepts(_ tensor.DType, _ tensor.Shape, p map[string]string) error {
	return c.check(p)
}

func (losslessCodec) parse(w *work) error { return noParams(w) }

func (losslessCodec) prepare(w *work, p params) error {
	width := planeWidth(w.dtype)
	w.planes.tryZstd = width >= 2 && w.planes.repeats(w.data, width, rotates(w.dtype))
	if w.planes.tryZstd && p["chunk"] == "" {
		w.chunkElems = min(repeatChunk, maxChunk(Lossless, w.dtype))
	}
	return nil
}

// planeState is the lossless codec's scratch.
type planeState struct {
	bytes   byteCoder
	tryZstd bool
	zstd    zstdCoder
	mask    []byte
	dense   []byte // elements that are not zero
	planes  []byte // all planes, one after another
	text    []byte
	trial   []byte
}

// planeWidth is the element width in bytes that planes are made of: 1 for packed types.
func planeWidth(d tensor.DType) int { return max(d.Bits()/8, 1) }

// rotates reports whether d's elements are rotated: floats of whole bytes with sign, exponent, mantissa.
func rotates(d tensor.DType) bool {
	switch d {
	case tensor.Float16, tensor.BFloat16, tensor.Float32, tensor.Float64:
		return true
	}
	return false
}

func (losslessCodec) appendChunk(dst []byte, w *work, lo, hi int) ([]byte, error) {
	s := &w.planes
	if w.dtype == tensor.String {
		var err error
		if s.text, err = appendStrings(s.text[:0], w.text.elems[lo:hi]); err != nil {
			return dst, err
		}
		dst = binary.AppendUvarint(append(dst, planesBytes), uint64(len(s.text)))
		return s.bytes.append(dst, s.text), nil
	}
	src := w.bytesOf(lo, hi)
	width := planeWidth(w.dtype)
	if width == 1 {
		return s.bytes.append(append(dst, planesBytes), src), nil
	}
	start := len(dst)
	dst = s.appendElements(dst, src, width, rotates(w.dtype))
	if s.tryZstd {
		if alt := s.zstd.encode(src); len(alt)+1 < len(dst)-start {
			return append(append(dst[:start], planesZstd), alt...), nil
		}
	}
	return dst, nil
}

// appendElements appends mode and planes of elements of at least two bytes.
func (s *planeState) appendElements(dst, src []byte, width int, rotate bool) []byte {
	n := len(src) / width
	s.mask = sized(s.mask, (n+7)/8)
	s.dense = sized(s.dense, len(src)+simd.Slack)
	zeros := n - simd.Compact(s.mask, s.dense, src, width)
	if zeros < n/maskFrom || zeros == 0 {
		return s.appendPlanes(append(dst, planesAll), src, width, rotate)
	}
	dst = s.bytes.append(append(dst, planesMasked), s.mask)
	return s.appendPlanes(dst, s.dense[:(n-zeros)*width], width, rotate)
}

func (s *planeState) appendPlanes(dst, src []byte, width int, rotate bool) []byte {
	n := len(src) / width
	s.planes = sized(s.planes, len(src))
	simd.Split(s.planes, src, width, rotate)
	for i := range width {
		dst = s.bytes.append(dst, s.planes[i*n:(i+1)*n])
	}
	return dst
}

func (losslessCodec) decodeChunk(w *work, payload []byte, lo, hi int) error {
	s := &w.planes
	r := reader{b: payload}
	mode := r.byte()
	switch {
	case w.dtype == tensor.String:
		n := r.length(MaxTextBytes)
		lengths := int64(hi-lo) * binary.MaxVarintLen32
		if r.bad || mode != planesBytes || int64(n) > w.text.left+lengths {
			return fmt.Errorf("mode %d with %d bytes of text, limit %d", mode, n, w.text.left)
		}
		s.text = sized(s.text, n)
		if err := s.bytes.decode(s.text, &r); err != nil {
			return err
		}
		if err := w.text.decode(lo, hi, s.text); err != nil {
			return err
		}
	case planeWidth(w.dtype) == 1:
		if mode != planesBytes {
			return errMode
		}
		if err := s.bytes.decode(w.bytesOf(lo, hi), &r); err != nil {
			return err
		}
	case mode == planesAll:
		if err := s.decodePlanes(w.bytesOf(lo, hi), &r, planeWidth(w.dtype), rotates(w.dtype)); err != nil {
			return err
		}
	case mode == planesMasked:
		if err := s.decodeMasked(w.bytesOf(lo, hi), &r, planeWidth(w.dtype), rotates(w.dtype)); err != nil {
			return err
		}
	case mode == planesZstd:
		return s.zstd.decode(w.bytesOf(lo, hi), r.rest())
	default:
		return errMode
	}
	if r.bad || r.at != len(payload) {
		return fmt.Errorf("%d bytes after the planes", len(payload)-r.at)
	}
	return nil
}

func (s *planeState) decodeMasked(dst []byte, r *reader, width int, rotate bool) error {
	n := len(dst) / width
	s.mask = sized(s.mask, (n+7)/8)
	if err := s.bytes.decode(s.mask, r); err != nil {
		return err
	}
	if n%8 != 0 && s.mask[n/8]>>(n%8) != 0 {
		return errors.New("mask has bits beyond the last element")
	}
	kept := 0
	for _, b := range s.mask {
		kept += bits.OnesCount8(b)
	}
	s.dense = sized(s.dense, kept*width+simd.Slack)
	if err := s.decodePlanes(s.dense[:kept*width], r, width, rotate); err != nil {
		return err
	}
	simd.Spread(dst, s.mask, s.dense, width)
	return nil
}

func (s *planeState) decodePlanes(dst []byte, r *reader, width int, rotate bool) error {
	n := len(dst) / width
	s.planes = sized(s.planes, len(dst))
	for i := range width {
		if err := s.bytes.decode(s.planes[i*n:(i+1)*n], r); err != nil {
			return fmt.Errorf("plane %d: %w", i, err)
		}
	}
	simd.Merge(dst, s.planes, width, rotate)
	return nil
}
