package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/bits"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// method is one way to encode a tensor, ours or a general compressor.
type method struct {
	name   string
	encode func(t *tensor.Tensor) ([]byte, error)
	decode func(b []byte, t *tensor.Tensor) error
	lossy  bool
}

// sample is what one method does to one cut.
type sample struct {
	bits            float64 // per element
	encode, decode  float64 // nanoseconds per element
	relative        float64 // root mean square of the error over that of the values
	bytes, elements int
}

func methods() ([]method, error) {
	var list []method
	for _, text := range []string{
		"lossless", "float16", "bfloat16", "float8", "int8", "int8:axis=1", "int4:axis=1", "int4:axis=1,entropy=rans", "int2:axis=1,entropy=rans",
		"uniform:rel=0.2", "uniform:rel=0.35", "uniform:rel=0.5", "uniform:rel=0.7", "uniform:rel=1", "uniform:rel=1.4",
	} {
		s, err := codec.Parse(text)
		if err != nil {
			return nil, err
		}
		var buf []byte
		list = append(list, method{
			name: text, lossy: !s.Lossless(),
			encode: func(t *tensor.Tensor) ([]byte, error) {
				var err error
				buf, err = codec.Append(buf[:0], t, s)
				return buf, err
			},
			decode: func(b []byte, t *tensor.Tensor) error { return codec.DecodeInto(t, b, codec.Limits{}) },
		})
	}
	for _, level := range []int{1, 3} {
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		var buf, out []byte
		list = append(list, method{
			name:   fmt.Sprintf("zstd-%d", level),
			encode: func(t *tensor.Tensor) ([]byte, error) { buf = enc.EncodeAll(t.Bytes(), buf[:0]); return buf, nil },
			decode: func(b []byte, t *tensor.Tensor) (err error) {
				out, err = dec.DecodeAll(b, out[:0])
				copy(t.Bytes(), out)
				return err
			},
		})
	}
	var s2buf []byte
	list = append(list, method{
		name: "s2",
		encode: func(t *tensor.Tensor) ([]byte, error) {
			s2buf = s2.Encode(s2buf[:cap(s2buf)], t.Bytes())
			return s2buf, nil
		},
		decode: func(b []byte, t *tensor.Tensor) error { _, err := s2.Decode(t.Bytes(), b); return err },
	})
	var c lz4.Compressor
	var lbuf []byte
	list = append(list, method{
		name: "lz4",
		encode: func(t *tensor.Tensor) ([]byte, error) {
			lbuf = slices.Grow(lbuf[:0], lz4.CompressBlockBound(len(t.Bytes())))
			n, err := c.CompressBlock(t.Bytes(), lbuf[:cap(lbuf)])
			if n == 0 && err == nil { // does not compress: carried as it is
				return append(lbuf[:0], t.Bytes()...), nil
			}
			return lbuf[:n], err
		},
		decode: func(b []byte, t *tensor.Tensor) error {
			if len(b) == len(t.Bytes()) {
				copy(t.Bytes(), b)
				return nil
			}
			_, err := lz4.UncompressBlock(b, t.Bytes())
			return err
		},
	})
	return list, nil
}

// measure codes every value of a cut with m.
func measure(m method, b boundary, clock bool) (sample, error) {
	var s sample
	var diff float64
	for _, t := range b.values {
		frame, err := m.encode(t)
		if err != nil {
			return s, fmt.Errorf("%s of %v in %s: %w", m.name, t, b.model, err)
		}
		frame = bytes.Clone(frame)
		got := t.Clone()
		clear(got.Bytes())
		if err := m.decode(frame, got); err != nil {
			return s, fmt.Errorf("%s of %v in %s: %w", m.name, t, b.model, err)
		}
		relative, _, err := codec.Compare(t, got)
		if err != nil {
			return s, err
		}
		if !m.lossy && !t.Equal(got) {
			return s, fmt.Errorf("%s of %v in %s: not lossless", m.name, t, b.model)
		}
		n := t.Len()
		s.bytes += len(frame)
		s.elements += n
		diff += relative * relative * float64(n)
		if clock {
			s.encode += fastest(func() { _, err = m.encode(t) })
			s.decode += fastest(func() { err = m.decode(frame, got) })
		}
	}
	n := float64(max(s.elements, 1))
	s.bits, s.encode, s.decode, s.relative = float64(s.bytes)*8/n, s.encode/n, s.decode/n, math.Sqrt(diff/n)
	return s, nil
}

// fastest is the nanoseconds of processor time of one call of f, at best over batches of about a millisecond.
func fastest(f func()) float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const batch = time.Millisecond
	begin := threadTime()
	f()
	reps := int(batch/max(threadTime()-begin, time.Microsecond)) + 1
	best := math.Inf(1)
	for range 3 {
		begin := threadTime()
		for range reps {
			f()
		}
		best = min(best, float64((threadTime()-begin).Nanoseconds())/float64(reps))
	}
	return best
}

// planeEntropy is the bytes that an ideal zero-order coder takes for the byte planes of a cut's values, each float rotated
// left by one bit so that the exponent is a plane, as package codec does; plain is without the rotation.
func planeEntropy(b boundary, rotate int) float64 {
	var sum float64
	for _, t := range b.values {
		var counts [4][256]int
		v := tensor.Data[float32](t)
		for _, x := range v {
			u := bits.RotateLeft32(math.Float32bits(x), rotate)
			for p := range counts {
				counts[p][byte(u>>(8*p))]++
			}
		}
		for p := range counts {
			for _, c := range counts[p] {
				if c > 0 {
					sum -= float64(c) * math.Log2(float64(c)/float64(len(v)))
				}
			}
		}
	}
	return sum / 8
}

func rates(ctx context.Context, w io.Writer, models, out, title string, names []string, maxCuts int) error {
	list, err := methods()
	if err != nil {
		return err
	}
	results := make([][]sample, len(list))
	var entropy, rotated []float64
	perModel := map[string][]float64{}
	zstd3 := slices.IndexFunc(list, func(m method) bool { return m.name == "zstd-3" })
	for _, name := range names {
		cuts, err := boundaries(ctx, filepath.Join(models, name), maxCuts)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, b := range cuts {
			for i, m := range list {
				s, err := measure(m, b, true)
				if err != nil {
					return err
				}
				results[i] = append(results[i], s)
			}
			ours, theirs := results[0][len(results[0])-1], results[zstd3][len(results[0])-1]
			perModel[name] = append(perModel[name], float64(ours.bytes)/float64(theirs.bytes))
			entropy = append(entropy, float64(ours.bytes)/planeEntropy(b, 0))
			rotated = append(rotated, float64(ours.bytes)/planeEntropy(b, 1))
		}
	}
	fmt.Fprintf(w, "## Rates on the %s\n\n%d cuts of %d models. Medians over the cuts; all float32 values of a cut together.\n\n", title, len(results[0]), len(names))
	fmt.Fprintf(w, "| codec | bits per element | relative error | encode GB/s | decode GB/s |\n|---|---:|---:|---:|---:|\n")
	var points []point
	for i, m := range list {
		mid := func(get func(sample) float64) float64 {
			var v []float64
			for _, s := range results[i] {
				v = append(v, get(s))
			}
			return median(v)
		}
		r, e := mid(func(s sample) float64 { return s.bits }), mid(func(s sample) float64 { return s.relative })
		enc, dec := mid(func(s sample) float64 { return s.encode }), mid(func(s sample) float64 { return s.decode })
		fmt.Fprintf(w, "| %s | %.2f | %.5f | %.2f | %.2f |\n", m.name, r, e, 4/enc, 4/dec)
		points = append(points, point{label: m.name, x: r, y: 4 / enc})
	}
	fmt.Fprintf(w, "\nLossless against zstd level 3, median over the cuts: **%.1f %% smaller**. ", 100*(1-median(flatten(perModel))))
	fmt.Fprintf(w, "Lossless against the zero-order entropy of the planes: %.3f times (planes of the plain bytes), %.3f times (planes after rotation).\n\n", median(entropy), median(rotated))
	fmt.Fprintf(w, "| model | cuts | lossless / zstd-3, median |\n|---|---:|---:|\n")
	for _, name := range names {
		fmt.Fprintf(w, "| %s | %d | %.3f |\n", name, len(perModel[name]), median(perModel[name]))
	}
	fmt.Fprintln(w)
	if out == "" {
		return nil
	}
	return plot(filepath.Join(out, "rate-speed.svg"), "Bits per element and encoding speed, median cut", "bits per element", "GB/s of float32 encoded, one core", points, true)
}

func flatten(m map[string][]float64) (all []float64) {
	for _, v := range m {
		all = append(all, v...)
	}
	return all
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
