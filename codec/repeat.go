package codec

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// repeatChunk is the elements of a chunk of a tensor that repeats itself: repetitions may be far apart.
const repeatChunk = 1 << 22

// repeatBlock is the bytes that repeats compares at a time; one block in repeatSample, chosen by content, is looked at.
const (
	repeatBlock  = 16
	repeatSample = 16
	repeatSlots  = 4096
)

// repeats reports whether more than half of b's 16-byte blocks, blocks of zeros apart, occur in b more than once, judged
// by a sample. Activations of trained models do not; those of constant weights, padding and broadcasts do.
func repeats(b []byte) bool {
	var seen [repeatSlots]uint64
	sampled, again := 0, 0
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
	return sampled >= 8 && again > sampled/2
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
