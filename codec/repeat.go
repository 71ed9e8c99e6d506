package codec

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// repeatChunk is the elements of a chunk of a tensor that repeats itself: repetitions may be far apart.
const repeatChunk = 1 << 22

// repeatBlock is the bytes that repeated compares at a time; one block in repeatSample, chosen by content, is looked at.
const (
	repeatBlock  = 16
	repeatSample = 16
	repeatSlots  = 4096
)

// A tensor of fewer bytes than repeatLeast is not looked at. One with fewer than repeatFew blocks in the sample has hardly any
// two that differ; where more than one in repeatMaybe occurs again, repeatTrial bytes are coded both ways.
const (
	repeatLeast = 4096
	repeatFew   = 8
	repeatMaybe = 8
	repeatTrial = 1 << 16
)

// repeats reports whether zstd is worth a try on b, elements of at least two bytes: activations of trained models seldom
// repeat themselves; those of constant weights, padding and broadcasts do.
func (s *planeState) repeats(b []byte, width int, rotate bool) bool {
	if len(b) < repeatLeast {
		return false
	}
	sampled, again := repeated(b)
	switch {
	case sampled < repeatFew: // hardly any two blocks differ
		return true
	case again <= sampled/repeatMaybe:
		return false
	case again > sampled/2:
		return true
	}
	if len(b) > repeatTrial {
		b = b[(len(b)-repeatTrial)/2&^(chunkAlign*width-1):][:repeatTrial]
	}
	s.trial = s.appendElements(s.trial[:0], b, width, rotate)
	return len(s.zstd.encode(b)) < len(s.trial)
}

// repeated is the number of b's 16-byte blocks in a sample, blocks of zeros apart, and how many of them occurred before.
func repeated(b []byte) (sampled, again int) {
	var seen [repeatSlots]uint64
	for ; len(b) >= repeatBlock; b = b[repeatBlock:] {
		lo, hi := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		if lo|hi == 0 {
			continue
		}
		h := (lo*0x9e3779b97f4a7c15 ^ hi) * 0xff51afd7ed558ccd
		if h>>60 != 0 { // one of repeatSample
			continue
		}
		sampled++
		slot := &seen[h>>48%repeatSlots]
		if *slot == h {
			again++
		}
		*slot = h
	}
	return sampled, again
}

// zstdCoder holds an encoder and a decoder once they are needed. Its zero value is ready; it is for one goroutine.
type zstdCoder struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
	buf []byte
}

// encode compresses src; the result is valid until the next call, and empty when the encoder cannot be made.
func (z *zstdCoder) encode(src []byte) []byte {
	if z.enc == nil {
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(8<<20), zstd.WithEncoderCRC(false))
		if err != nil {
			return nil
		}
		z.enc = enc
	}
	z.buf = z.enc.EncodeAll(src, z.buf[:0])
	return z.buf
}

// decode fills dst from a zstd frame that must declare exactly its length, before anything is allocated for it.
func (z *zstdCoder) decode(dst, frame []byte) error {
	var h zstd.Header
	if err := h.Decode(frame); err != nil {
		return fmt.Errorf("zstd header: %w", err)
	}
	if !h.HasFCS || h.FrameContentSize != uint64(len(dst)) || h.Skippable {
		return fmt.Errorf("zstd frame declares %d bytes, want %d", h.FrameContentSize, len(dst))
	}
	if z.dec == nil {
		dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20),
			zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return err
		}
		z.dec = dec
	}
	out, err := z.dec.DecodeAll(frame, dst[:0:len(dst)])
	if err != nil {
		return fmt.Errorf("zstd frame: %w", err)
	}
	if len(out) != len(dst) || len(dst) > 0 && &out[0] != &dst[0] {
		return errors.New("zstd frame has another length than it declares")
	}
	return nil
}
