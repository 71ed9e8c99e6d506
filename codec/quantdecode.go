package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/cleave-mesh/cleave/codec/internal/simd"
)

func (c quantCodec) parse(w *work) error {
	q := &w.quant
	r := reader{b: w.params}
	q.flags = r.byte()
	q.bound = math.Float32frombits(r.uint32())
	if q.flags&^(quantAxis|quantGroups|quantEntropy|quantOutliers) != 0 || q.flags&quantAxis != 0 && q.flags&quantGroups != 0 {
		return fmt.Errorf("flags %#x", q.flags)
	}
	q.channels, q.inner = 1, max(w.elems, 1)
	if q.flags&(quantAxis|quantOutliers) != 0 {
		axis := int(r.byte())
		if axis >= len(w.shape) || w.shape[axis] > MaxChannels {
			return fmt.Errorf("axis %d of shape %v", axis, w.shape)
		}
		q.axis(w.shape, axis)
	}
	q.group = 0
	scales := 1
	if q.flags&quantAxis != 0 {
		scales = q.channels
	}
	if q.flags&quantGroups != 0 {
		log := r.byte()
		if log < 4 || log > 12 || w.chunks > 1 && w.chunkElems%(1<<log) != 0 {
			return fmt.Errorf("groups of 2^%d elements in chunks of %d", log, w.chunkElems)
		}
		q.group, scales = 1<<log, 0
	}
	body := r.take(8 * scales)
	if r.bad {
		return errParams
	}
	q.step, q.base = sized(q.step, scales), sized(q.base, scales)
	for i := range scales {
		q.step[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[8*i:]))
		q.base[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[8*i+4:]))
	}
	q.outlying = q.outlying[:0]
	if q.flags&quantOutliers != 0 {
		mask := r.take((q.channels + 7) / 8)
		if r.bad {
			return errParams
		}
		q.outlying = sized(q.outlying, q.channels)
		for i := range q.outlying {
			q.outlying[i] = mask[i/8]>>(i%8)&1 == 1
		}
	}
	if r.bad || r.at != len(w.params) {
		return errParams
	}
	q.inv = q.inv[:0] // decoding needs none
	q.tile()
	return nil
}

func (c quantCodec) decodeChunk(w *work, payload []byte, lo, hi int) error {
	q := &w.quant
	n := hi - lo
	r := reader{b: payload}
	switch r.byte() {
	case modeExact:
		return copyExactly(w.bytesOf(lo, hi), r.rest())
	case modeCoded:
	default:
		return errMode
	}
	var scales []byte
	if q.group > 0 {
		scales = r.take((n + q.group - 1) / q.group * groupBytes)
	}
	var symbols []byte
	if q.flags&quantEntropy != 0 {
		q.symbols = sized(q.symbols, n)
		if err := q.coder.decode(q.symbols, &r); err != nil {
			return err
		}
		symbols = q.symbols
	} else {
		packed := r.take((n*c.bits + 7) / 8)
		if r.bad {
			return errors.New("symbols are missing")
		}
		if c.bits == 8 {
			symbols = packed
		} else {
			q.symbols = sized(q.symbols, n)
			simd.Unpack(q.symbols, packed, c.bits)
			symbols = q.symbols
		}
	}
	if r.bad {
		return errors.New("groups are missing")
	}
	dst := w.target(lo, hi)
	if q.group > 0 {
		dequantizeGroups(dst, symbols, scales, q.group)
	} else {
		q.each(lo, hi, func(from, to, ch int) {
			simd.Dequantize(dst[from:to], symbols[from:to], q.base[ch], q.step[ch])
		}, func(from, to, ch int) {
			simd.DequantizeRow(dst[from:to], symbols[from:to], q.base[ch:ch+to-from], q.step[ch:ch+to-from])
		})
	}
	w.store(lo, hi)
	if q.flags&quantOutliers != 0 {
		q.putOutliers(w.bytesOf(lo, hi), n, lo, &r)
	}
	if r.bad || r.at != len(payload) {
		return fmt.Errorf("payload of %d bytes does not end at %d", len(payload), r.at)
	}
	return nil
}
