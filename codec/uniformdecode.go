package codec

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/cleave-mesh/cleave/codec/internal/rans"
	"github.com/cleave-mesh/cleave/codec/internal/simd"
)

func (uniformCodec) parse(w *work) error {
	f := &w.fold
	r := reader{b: w.params}
	flags := r.byte()
	f.bound = math.Float32frombits(r.uint32())
	if err := f.foldQuant.read(&r); err != nil {
		return err
	}
	f.table = nil
	if flags == 1 {
		id := TableID(r.uint64())
		t, err := w.tables.table(id)
		if err != nil && !r.bad {
			return err
		}
		f.table = t
		if err := f.channels(w.shape); err != nil {
			return err
		}
	}
	if flags > 1 || r.bad || r.at != len(w.params) {
		return errParams
	}
	f.levels()
	return nil
}

func (uniformCodec) decodeChunk(w *work, payload []byte, lo, hi int) error {
	f := &w.fold
	r := reader{b: payload}
	n := hi - lo
	switch r.byte() {
	case modeExact:
		return copyExactly(w.bytesOf(lo, hi), r.rest())
	case modeZero:
		if r.at != len(payload) {
			return errors.New("bytes after an empty payload")
		}
		dst := w.target(lo, hi)
		clear(dst)
		f.scale(dst, lo)
		w.store(lo, hi)
		return nil
	case modeCoded:
	default:
		return errMode
	}
	coder := &f.coder
	if f.table != nil {
		coder = &f.table.coder
	} else {
		used, err := rans.ParseContextFreq(&f.freq, payload[r.at:])
		if err != nil {
			return fmt.Errorf("frequencies: %w", err)
		}
		r.at += used
		f.coder.BuildDecoder(&f.freq)
	}
	escapes := r.take(r.length(n))
	if r.bad {
		return errors.New("escapes are missing")
	}
	f.symbols = sized(f.symbols, rans.Padded(n))
	if err := coder.DecodeContext(f.symbols, r.rest(), rans.Neighbours{Near: f.near, Far: f.far}, &f.scratch); err != nil {
		return err
	}
	if err := putEscapes(f.symbols[:n], escapes); err != nil {
		return err
	}
	dst := w.target(lo, hi)
	simd.Unfold(dst, f.symbols[:n], &f.values)
	f.scale(dst, lo)
	w.store(lo, hi)
	return nil
}

// putEscapes replaces every escape among symbols by the next of escapes, which must be as many.
func putEscapes(symbols, escapes []byte) error {
	for len(escapes) > 0 {
		i := bytes.IndexByte(symbols, escape)
		if i < 0 {
			return fmt.Errorf("%d escapes too many", len(escapes))
		}
		symbols[i] = escapes[0]
		symbols, escapes = symbols[i+1:], escapes[1:]
	}
	if bytes.IndexByte(symbols, escape) >= 0 {
		return errors.New("an escape is missing")
	}
	return nil
}
