package simd

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

const (
	guard   = 0xa5
	longest = 1000
)

// floatsOf is n floats at an odd place of their buffer: Gaussian, with zeros, and when wild any bits at all.
func floatsOf(rng *rand.Rand, n int, wild bool) []float32 {
	v := make([]float32, n+1)[1:]
	for i := range v {
		switch k := rng.IntN(8); {
		case k == 0:
			v[i] = 0
		case wild && k < 4:
			v[i] = math.Float32frombits(rng.Uint32())
		default:
			v[i] = float32(rng.NormFloat64())
		}
	}
	return v
}

// guarded is n bytes between two guards, of which check tells whether they are still there.
func guarded(n int) (b []byte, check func(t *testing.T, what string)) {
	all := bytes.Repeat([]byte{guard}, n+64)
	return all[31 : 31+n : 31+n], func(t *testing.T, what string) {
		t.Helper()
		if bytes.Count(all[:31], []byte{guard}) != 31 || bytes.Count(all[31+n:], []byte{guard}) != 33 {
			t.Fatalf("%s of %d bytes wrote beyond its end", what, n)
		}
	}
}

func bitsOf(v []float32) []uint32 {
	out := make([]uint32, len(v))
	for i, x := range v {
		out[i] = math.Float32bits(x)
	}
	return out
}

// TestAgainstGeneric holds every loop to its generic twin, for all lengths, misaligned, with guarded ends.
func TestAgainstGeneric(t *testing.T) {
	const seed = 11
	rng := rand.New(rand.NewPCG(seed, 1))
	for n := range longest + 1 {
		if testing.Short() && n%7 != 0 {
			continue
		}
		wild, tame := floatsOf(rng, n, true), floatsOf(rng, n, false)
		got, check := guarded(2 * n)
		want := make([]byte, 2*n)
		same := func(what string) {
			t.Helper()
			check(t, what)
			if !bytes.Equal(got, want) {
				t.Fatalf("%s of %d elements differs from the generic loop, seed %d", what, n, seed)
			}
		}
		F32ToF16(got, wild)
		f32ToF16Generic(want, wild)
		same("F32ToF16")
		F32ToBF16(got, wild)
		f32ToBF16Generic(want, wild)
		same("F32ToBF16")
		for i := range want {
			want[i] = byte(rng.Uint32())
		}
		back, ref := make([]float32, n), make([]float32, n)
		sameFloats := func(what string) {
			t.Helper()
			if !slices.Equal(bitsOf(back), bitsOf(ref)) {
				t.Fatalf("%s of %d elements differs from the generic loop, seed %d", what, n, seed)
			}
		}
		F16ToF32(back, want)
		f16ToF32Generic(ref, want)
		sameFloats("F16ToF32")
		BF16ToF32(back, want)
		bf16ToF32Generic(ref, want)
		sameFloats("BF16ToF32")
		if a, b := MaxAbs(wild), maxAbsGeneric(wild); a != b {
			t.Fatalf("MaxAbs of %d elements is %x, want %x, seed %d", n, a, b, seed)
		}
		if n > 0 {
			lo, hi, ok := Range(tame)
			a, b, _ := rangeGeneric(tame)
			if !ok || lo != a || hi != b {
				t.Fatalf("Range of %d elements is %g %g %v, want %g %g", n, lo, hi, ok, a, b)
			}
			broken := slices.Clone(tame)
			broken[rng.IntN(n)] = float32(math.Inf(-1))
			if _, _, ok := Range(broken); ok {
				t.Fatalf("Range of %d elements misses an infinity", n)
			}
		}
		low, high, lowRef, highRef := floatsOf(rng, n, false), floatsOf(rng, n, false), make([]float32, n), make([]float32, n)
		copy(lowRef, low)
		copy(highRef, high)
		RangeRow(low, high, tame)
		rangeRowGeneric(lowRef, highRef, tame)
		if !slices.Equal(low, lowRef) || !slices.Equal(high, highRef) {
			t.Fatalf("RangeRow of %d elements differs, seed %d", n, seed)
		}
		q, checkQ := guarded(n)
		refQ := make([]byte, n)
		Quantize(q, tame, -1.5, 40.3, 255)
		quantizeGeneric(refQ, tame, -1.5, 40.3, 255)
		checkQ(t, "Quantize")
		if !bytes.Equal(q, refQ) {
			t.Fatalf("Quantize of %d elements differs", n)
		}
		Fold(q, tame, 7.3, 0.4)
		foldGeneric(refQ, tame, 7.3, 0.4)
		checkQ(t, "Fold")
		if !bytes.Equal(q, refQ) {
			t.Fatalf("Fold of %d elements differs", n)
		}
		base, step := floatsOf(rng, n, false), floatsOf(rng, n, false)
		QuantizeRow(q, tame, base, step, 15)
		quantizeRowGeneric(refQ, tame, base, step, 15)
		checkQ(t, "QuantizeRow")
		if !bytes.Equal(q, refQ) {
			t.Fatalf("QuantizeRow of %d elements differs", n)
		}
		Dequantize(back, q, -0.3, 0.017)
		dequantizeGeneric(ref, q, -0.3, 0.017)
		sameFloats("Dequantize")
		DequantizeRow(back, q, base, step)
		dequantizeRowGeneric(ref, q, base, step)
		sameFloats("DequantizeRow")
	}
}

// TestPlanes holds splitting and merging, compacting and spreading, packing and unpacking to being inverses and to the
// generic loops.
func TestPlanes(t *testing.T) {
	const seed = 12
	rng := rand.New(rand.NewPCG(seed, 1))
	for n := range longest + 1 {
		if testing.Short() && n%7 != 0 {
			continue
		}
		for _, width := range []int{2, 4, 8, 16} {
			src := make([]byte, n*width+1)[1:]
			for i := 0; i < len(src); i += width {
				if rng.IntN(2) == 0 {
					for j := range width {
						src[i+j] = byte(rng.Uint32() & rng.Uint32())
					}
				}
			}
			for _, rotate := range []bool{false, true} {
				if rotate && width == 16 {
					continue
				}
				got, check := guarded(len(src))
				want := make([]byte, len(src))
				Split(got, src, width, rotate)
				check(t, "Split")
				splitGeneric(want, src, n, 0, width, rotate)
				if !bytes.Equal(got, want) {
					t.Fatalf("Split of %d elements of width %d differs, seed %d", n, width, seed)
				}
				back, check := guarded(len(src))
				Merge(back, got, width, rotate)
				check(t, "Merge")
				if !bytes.Equal(back, src) {
					t.Fatalf("Merge of %d elements of width %d is no inverse, seed %d", n, width, seed)
				}
			}
			mask, checkMask := guarded((n + 7) / 8)
			dense, checkDense := guarded(len(src) + Slack)
			kept := Compact(mask, dense, src, width)
			checkMask(t, "mask of Compact")
			checkDense(t, "Compact")
			wantMask, wantDense := make([]byte, len(mask)), make([]byte, len(dense))
			if want := compactGeneric(wantMask, wantDense, src, n, 0, 0, width); want != kept ||
				!bytes.Equal(mask, wantMask) || !bytes.Equal(dense[:kept*width], wantDense[:kept*width]) {
				t.Fatalf("Compact of %d elements of width %d differs, seed %d", n, width, seed)
			}
			back, check := guarded(len(src))
			Spread(back, mask, dense[:kept*width+Slack], width)
			check(t, "Spread")
			if !bytes.Equal(back, src) {
				t.Fatalf("Spread of %d elements of width %d is no inverse, seed %d", n, width, seed)
			}
		}
		for _, width := range []int{2, 3, 4, 6, 8} {
			symbols := make([]byte, n)
			for i := range symbols {
				symbols[i] = byte(rng.Uint32()) & (1<<width - 1)
			}
			packed := AppendPacked(nil, symbols, width)
			if len(packed) != (n*width+7)/8 {
				t.Fatalf("%d symbols of %d bits take %d bytes", n, width, len(packed))
			}
			back, check := guarded(n)
			Unpack(back, packed, width)
			check(t, "Unpack")
			if !bytes.Equal(back, symbols) {
				t.Fatalf("Unpack of %d symbols of %d bits is no inverse", n, width)
			}
		}
	}
}
