package codec

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// rawCodec carries the tensor's own bytes. It has no parameters of its own.
//
//	payload = the elements' bytes, or for String: (length uvarint | bytes) per element
type rawCodec struct{}

func (rawCodec) ID() ID                          { return Raw }
func (rawCodec) Name() string                    { return "raw" }
func (rawCodec) Lossless(map[string]string) bool { return true }
func (rawCodec) check(p params) error            { return p.only() }

func (c rawCodec) Accepts(_ tensor.DType, _ tensor.Shape, p map[string]string) error {
	return c.check(p)
}

func (rawCodec) prepare(*work, params) error { return nil }

func (rawCodec) parse(w *work) error { return noParams(w) }

func (rawCodec) appendChunk(dst []byte, w *work, lo, hi int) ([]byte, error) {
	if w.dtype == tensor.String {
		return appendStrings(dst, w.text.elems[lo:hi])
	}
	return append(dst, w.bytesOf(lo, hi)...), nil
}

func (rawCodec) decodeChunk(w *work, payload []byte, lo, hi int) error {
	if w.dtype == tensor.String {
		return w.text.decode(lo, hi, payload)
	}
	return copyExactly(w.bytesOf(lo, hi), payload)
}

// bytesOf is the bytes of elements [lo, hi); lo is a multiple of chunkAlign and hi one as well or the last element's end,
// so packed types begin and end on whole bytes.
func (w *work) bytesOf(lo, hi int) []byte {
	bits := w.dtype.Bits()
	return w.data[lo*bits/8 : (hi*bits+7)/8]
}

var errParams = errors.New("parameters have the wrong length")

func noParams(w *work) error {
	if len(w.params) != 0 {
		return errParams
	}
	return nil
}

func copyExactly(dst, payload []byte) error {
	if len(payload) != len(dst) {
		return fmt.Errorf("payload of %d bytes, want %d", len(payload), len(dst))
	}
	copy(dst, payload)
	return nil
}

// textSlack is room for what codecs write beside text: a length and a mode.
const textSlack = 64

func appendStrings(dst []byte, text []string) ([]byte, error) {
	start := len(dst)
	for _, s := range text {
		if len(dst)-start+len(s) > MaxTextBytes-textSlack {
			return dst, fmt.Errorf("%w: strings of more than %d bytes", ErrUnsuitable, MaxTextBytes)
		}
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	return dst, nil
}

// text is the elements of a String tensor and, while decoding, how many bytes they may still have together: a frame
// declares no more than their number.
type text struct {
	elems []string
	left  int64
}

// decode fills elements [lo, hi) from what appendStrings wrote.
func (t *text) decode(lo, hi int, payload []byte) error {
	r := reader{b: payload}
	for i := range t.elems[lo:hi] {
		s := r.take(r.length(len(payload)))
		if t.left -= int64(len(s)); t.left < 0 {
			return errors.New("strings are longer than the limit")
		}
		t.elems[lo+i] = string(s)
	}
	if r.bad || r.at != len(payload) {
		return errors.New("string lengths do not fill the payload")
	}
	return nil
}
