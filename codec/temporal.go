package codec

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/codec/internal/simd"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// Temporal mode carries consecutive values of one session, for example one per camera picture, as differences.
//
// An update is
//
//	update = kind u8 (0 whole, 1 difference) | sequence u64 | base u64 | frame
//
// all integers little-endian. A whole update's frame is the tensor. A difference's frame is the tensor minus what the
// receiver decoded for update base: that is a tensor which the receiver has acknowledged, so that an update may be lost
// without harm to later ones. Without an acknowledged tensor of the same type and shape, or when the difference would not
// be smaller, the update is whole. Lossy errors do not add up: the sender subtracts what the receiver has, not what it
// sent. Float types are subtracted in float32, integers and floats under a lossless codec bit by bit (exclusive or).
//
// A receiver that misses the base (it restarted, or forgot) refuses the update with ErrResync; the sender's Reset makes
// the next one whole.

// ErrResync is wrapped when an update's base is not among the tensors that the receiver keeps. The sender must Reset.
var ErrResync = errors.New("base of the difference is missing")

const (
	updateWhole      = 0
	updateDifference = 1
	updateBytes      = 17
)

// keptUpdates is how many decoded tensors each side keeps: updates that are acknowledged later than that are whole.
const keptUpdates = 8

// update is a tensor as the receiver has it.
type update struct {
	sequence uint64
	tensor   *tensor.Tensor
}

// DeltaEncoder is the sending side of temporal mode. It is for one goroutine.
type DeltaEncoder struct {
	spec    Spec
	coder   *Coder
	next    uint64
	sent    []update // not yet acknowledged
	acked   *update
	whole   []byte
	smaller []byte
}

// NewDeltaEncoder returns a sender under s.
func NewDeltaEncoder(s Spec) *DeltaEncoder { return (*Coder)(nil).NewDeltaEncoder(s) }

// NewDeltaEncoder is the package's NewDeltaEncoder with the Coder's tables.
func (c *Coder) NewDeltaEncoder(s Spec) *DeltaEncoder {
	return &DeltaEncoder{spec: s, coder: c, next: 1}
}

// Append appends an update of t and returns its sequence number, which Acknowledge takes once the receiver has decoded it.
func (e *DeltaEncoder) Append(dst []byte, t *tensor.Tensor) ([]byte, uint64, error) {
	var err error
	if e.whole, err = e.coder.Append(e.whole[:0], t, e.spec); err != nil {
		return dst, 0, err
	}
	kind, base, frame := byte(updateWhole), uint64(0), e.whole
	var seen *tensor.Tensor
	if b := e.acked; b != nil && b.tensor.DType() == t.DType() && b.tensor.Shape().Equal(t.Shape()) && t.DType() != tensor.String {
		if seen, err = e.difference(t, b.tensor); err != nil {
			return dst, 0, err
		}
		if seen != nil && len(e.smaller) < len(e.whole) {
			kind, base, frame = updateDifference, b.sequence, e.smaller
		} else {
			seen = nil
		}
	}
	if seen == nil {
		if seen, err = e.coder.Decode(e.whole, Limits{MaxBytes: 1 << 62}); err != nil {
			return dst, 0, err
		}
	}
	sequence := e.next
	e.next++
	e.sent = append(e.sent, update{sequence, seen})
	if len(e.sent) > keptUpdates {
		e.sent = slices.Delete(e.sent, 0, len(e.sent)-keptUpdates)
	}
	dst = appendUint64(appendUint64(append(dst, kind), sequence), base)
	return append(dst, frame...), sequence, nil
}

// difference encodes t minus base into e.smaller and returns what the receiver will have, or nil when the codec does not
// carry the difference.
func (e *DeltaEncoder) difference(t, base *tensor.Tensor) (*tensor.Tensor, error) {
	exact := e.spec.Lossless()
	diff := t.Clone()
	if !combine(diff, base, exact, -1) {
		return nil, nil // beyond what the type holds
	}
	var err error
	if e.smaller, err = e.coder.Append(e.smaller[:0], diff, e.spec); err != nil {
		return nil, nil // a difference that the codec does not fit goes whole
	}
	got, err := e.coder.Decode(e.smaller, Limits{MaxBytes: 1 << 62})
	if err != nil {
		return nil, err
	}
	if !combine(got, base, exact, 1) {
		return nil, nil // rounded to beyond what the type holds
	}
	return got, nil
}

// Acknowledge says that the receiver has decoded update sequence. Late and repeated acknowledgements are ignored.
func (e *DeltaEncoder) Acknowledge(sequence uint64) {
	for i, u := range e.sent {
		if u.sequence == sequence {
			e.acked = &update{u.sequence, u.tensor}
			e.sent = slices.Delete(e.sent, 0, i+1)
			return
		}
	}
}

// Reset makes the next update whole, as a receiver that reports ErrResync needs.
func (e *DeltaEncoder) Reset() { e.acked, e.sent = nil, nil }

// DeltaDecoder is the receiving side of temporal mode. It is for one goroutine.
type DeltaDecoder struct {
	coder *Coder
	lim   Limits
	kept  []update
}

// NewDeltaDecoder returns a receiver.
func NewDeltaDecoder(lim Limits) *DeltaDecoder { return (*Coder)(nil).NewDeltaDecoder(lim) }

// NewDeltaDecoder is the package's NewDeltaDecoder with the Coder's tables.
func (c *Coder) NewDeltaDecoder(lim Limits) *DeltaDecoder { return &DeltaDecoder{coder: c, lim: lim} }

// Decode reads one update and returns the tensor, which the decoder keeps and the caller must not change, and the sequence
// number to acknowledge. It fails like the package's Decode, and with ErrResync.
func (d *DeltaDecoder) Decode(b []byte) (*tensor.Tensor, uint64, error) {
	r := reader{b: b}
	kind, sequence, base := r.byte(), r.uint64(), r.uint64()
	if r.bad || kind > updateDifference {
		return nil, 0, fmt.Errorf("%w: update of %d bytes, kind %d", ErrCorrupt, len(b), kind)
	}
	t, err := d.coder.Decode(b[updateBytes:], d.lim)
	if err != nil {
		return nil, 0, err
	}
	if kind == updateDifference {
		i := slices.IndexFunc(d.kept, func(u update) bool { return u.sequence == base })
		if i < 0 {
			return nil, 0, fmt.Errorf("%w: update %d is relative to %d", ErrResync, sequence, base)
		}
		from := d.kept[i].tensor
		if from.DType() != t.DType() || !from.Shape().Equal(t.Shape()) {
			return nil, 0, fmt.Errorf("%w: update %d of %v is relative to %v", ErrCorrupt, sequence, t, from)
		}
		combine(t, from, frameLossless(b[updateBytes:]), 1)
		// What is older than an acknowledged base will not be asked for again.
		d.kept = slices.Delete(d.kept, 0, i)
	}
	d.kept = append(d.kept, update{sequence, t})
	if len(d.kept) > keptUpdates+1 {
		d.kept = slices.Delete(d.kept, 0, 1)
	}
	return t, sequence, nil
}

// frameLossless reports whether the frame's codec is lossless; frame has been decoded.
func frameLossless(frame []byte) bool { return coders[frame[5]].Lossless(nil) }

// combine adds base to t, or subtracts it with sign -1; exact combines bits instead. Types that are not floats of the
// lossy codecs are always combined bit by bit. It reports whether every result is finite and within the type's range.
func combine(t, base *tensor.Tensor, exact bool, sign float32) bool {
	a, b := t.Bytes(), base.Bytes()
	if exact || acceptsFloats("", t.DType()) != nil {
		for i := range a {
			a[i] ^= b[i]
		}
		return true
	}
	w, v := works.Get().(*work), works.Get().(*work)
	defer w.release()
	defer v.release()
	w.dtype, v.dtype = t.DType(), t.DType()
	w.open(t)
	v.open(base)
	n := t.Len()
	x, y := w.floats(0, n), v.floats(0, n)
	for i := range x {
		x[i] += sign * y[i]
	}
	fits := simd.MaxAbs(x) <= math.Float32bits(largest(t.DType()))
	w.store(0, n)
	return fits
}

func appendUint64(dst []byte, v uint64) []byte {
	for i := range 8 {
		dst = append(dst, byte(v>>(8*i)))
	}
	return dst
}
