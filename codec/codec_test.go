package codec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// allTypes is every element type.
func allTypes() []tensor.DType {
	var list []tensor.DType
	for d := tensor.DType(1); d.Valid(); d++ {
		list = append(list, d)
	}
	return list
}

// shapes are the shapes that round trips are tried on.
var shapes = []tensor.Shape{
	{},
	{0},
	{1},
	{3, 0, 5},
	{7},
	{1, 64},
	{65},
	{1, 3, 17, 19},
	{1, 16, 16, 88},
	{2, 5000},
	{1 << 30, 0},
	{70001},
	{1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 3},
}

// noise is a tensor of random bits, with half of its elements zero when sparse.
func noise(t testing.TB, rng *rand.Rand, d tensor.DType, s tensor.Shape, sparse bool) *tensor.Tensor {
	t.Helper()
	x, err := tensor.New(d, s)
	if err != nil {
		t.Fatal(err)
	}
	for i := range x.Strings() {
		x.Strings()[i] = hex.EncodeToString(binaryBytes(rng, rng.IntN(9)))
	}
	width := max(d.Bits()/8, 1)
	b := x.Bytes()
	for i := 0; i+width <= len(b); i += width {
		if sparse && rng.IntN(2) == 0 {
			continue
		}
		copy(b[i:], binaryBytes(rng, width))
	}
	if n := x.Len() * d.Bits() % 8; n != 0 {
		b[len(b)-1] &= 1<<n - 1
	}
	return x
}

func binaryBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// activations is float32 values like those of a layer: Gaussian, or their positive part when relu.
func activations(t testing.TB, rng *rand.Rand, s tensor.Shape, relu bool) *tensor.Tensor {
	t.Helper()
	x, err := tensor.New(tensor.Float32, s)
	if err != nil {
		t.Fatal(err)
	}
	v := tensor.Data[float32](x)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
		if relu {
			v[i] = max(v[i], 0)
		}
	}
	return x
}

func newRand(t testing.TB, seed uint64) *rand.Rand {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 1))
}

func mustParse(t testing.TB, text string) Spec {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLosslessRoundTrip sends random bits, NaN payloads and infinities among them, of every type and shape.
func TestLosslessRoundTrip(t *testing.T) {
	rng := newRand(t, 1)
	for _, text := range []string{"raw", "lossless", "raw:chunk=64", "lossless:chunk=192", "lossless:chunk=8192"} {
		s := mustParse(t, text)
		for _, d := range allTypes() {
			for _, shape := range shapes {
				for _, sparse := range []bool{false, true} {
					x := noise(t, rng, d, shape, sparse)
					frame, err := Append([]byte("before"), x, s)
					if err != nil {
						t.Fatal(err)
					}
					y, err := Decode(frame[6:], Limits{})
					if err != nil {
						t.Fatalf("%v of %v: %v", s, x, err)
					}
					if !x.Equal(y) {
						t.Fatalf("%v of %v: decoded tensor differs", s, x)
					}
				}
			}
		}
	}
}

// TestRepeats sends tensors that repeat themselves, which go by zstd, and damages them.
func TestRepeats(t *testing.T) {
	rng := newRand(t, 8)
	for _, period := range []int{900, 4} {
		x := activations(t, rng, tensor.Shape{1, 40, 30, 30}, false)
		v := tensor.Data[float32](x)
		for i := range v {
			v[i] = v[i%period]
		}
		frame, err := Append(nil, x, mustParse(t, "lossless"))
		if err != nil {
			t.Fatal(err)
		}
		if len(frame) > len(x.Bytes())/20 {
			t.Errorf("a tensor of period %d takes %d of %d bytes", period, len(frame), len(x.Bytes()))
		}
		y, err := Decode(frame, Limits{})
		if err != nil || !x.Equal(y) {
			t.Fatalf("decoded tensor differs: %v", err)
		}
		for i := 40; i < len(frame); i += 7 {
			bad := bytes.Clone(frame)
			bad[i] ^= 1 << rng.IntN(8)
			checkRefused(t, bad)
			var where *FrameError
			if _, err := Decode(resum(bad), Limits{}); err != nil && !errors.As(err, &where) {
				t.Fatalf("damaged zstd frame gives %v", err)
			}
		}
	}
}

// TestLossyBounds checks every quantised element against the frame's own bound, and that values that are not finite stay.
func TestLossyBounds(t *testing.T) {
	rng := newRand(t, 2)
	specs := []string{
		"int8", "int6", "int4", "int3", "int2", "int8:axis=1", "int4:axis=-1", "int4:axis=1,entropy=rans", "int2:clip=mse",
		"int4:group=64", "int3:group=16,entropy=rans", "int8:group=4096", "int4:axis=1,outliers=3", "int4:group=32,axis=-1,outliers=2",
		"int6:clip=mse,chunk=640", "uniform", "uniform:rel=1.5", "uniform:rel=0.01", "uniform:bits=1,chunk=640", "uniform:round=0.2",
		"int2:axis=0,clip=none,entropy=rans",
	}
	for _, text := range specs {
		s := mustParse(t, text)
		for _, shape := range []tensor.Shape{{0, 4}, {1, 1}, {1, 24, 13, 11}, {3, 5, 31, 40}, {2, 333}} {
			for _, d := range []tensor.DType{tensor.Float32, tensor.Float16, tensor.BFloat16} {
				for _, scale := range []float32{1, 1e-30, 1e4} {
					x := activations(t, rng, shape, rng.IntN(2) == 0)
					v := tensor.Data[float32](x)
					for i := range v {
						v[i] = (v[i] + float32(rng.IntN(2))) * scale
					}
					if len(v) > 100 && rng.IntN(3) == 0 {
						v[70] = float32(math.Inf(1))
						v[71] = float32(math.NaN())
					}
					checkBound(t, s, narrowed(t, x, d))
				}
			}
		}
	}
}

// narrowed is x converted to d.
func narrowed(t testing.TB, x *tensor.Tensor, d tensor.DType) *tensor.Tensor {
	t.Helper()
	if d == tensor.Float32 {
		return x
	}
	y, err := tensor.New(d, x.Shape())
	if err != nil {
		t.Fatal(err)
	}
	w := work{header: header{dtype: d}, data: y.Bytes()}
	copy(w.target(0, x.Len()), tensor.Data[float32](x))
	w.store(0, x.Len())
	return y
}

// checkBound holds a frame of x under s to its own bound.
func checkBound(t *testing.T, s Spec, x *tensor.Tensor) {
	t.Helper()
	frame, err := Append(nil, x, s)
	if err != nil {
		t.Fatalf("%v of %v: %v", s, x, err)
	}
	checkFrame(t, nil, s, x, frame)
}

// TestFloatBounds checks the narrower floats against their stated bounds.
func TestFloatBounds(t *testing.T) {
	rng := newRand(t, 3)
	for _, text := range []string{"float16", "bfloat16", "float8", "float8:format=e5m2", "float16:chunk=64"} {
		for _, d := range []tensor.DType{tensor.Float32, tensor.Float16, tensor.BFloat16} {
			for _, scale := range []float32{1, 1e-9, 1e-5, 3e4, 1e30} {
				x := activations(t, rng, tensor.Shape{1, 17, 301}, false)
				v := tensor.Data[float32](x)
				for i := range v {
					v[i] *= scale
				}
				v[5], v[6], v[7] = float32(math.Inf(-1)), float32(math.NaN()), 0
				checkBound(t, mustParse(t, text), narrowed(t, x, d))
			}
		}
	}
}

// TestGolden pins the bytes of small frames. A change here is a change of the wire format.
func TestGolden(t *testing.T) {
	small := tensor.Of[float32](tensor.Float32, tensor.Shape{2, 3}, 0, 1, -2, 0.5, 0, 3)
	large, err := tensor.New(tensor.Float32, tensor.Shape{8, 16})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range tensor.Data[float32](large) {
		tensor.Data[float32](large)[i] = v + float32(i*i%7-3)*float32(i%3)
	}
	for _, g := range golden {
		x := small
		if g.large {
			x = large
		}
		frame, err := Append(nil, x, mustParse(t, g.spec))
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(frame); got != g.hex {
			t.Errorf("%s is\n%s, want\n%s", g.spec, got, g.hex)
		}
	}
}

func TestStream(t *testing.T) {
	rng := newRand(t, 4)
	var buf bytes.Buffer
	var sent []*tensor.Tensor
	for i, text := range []string{"raw", "lossless:chunk=4096", "lossless", "raw:chunk=64"} {
		x := activations(t, rng, shapes[(i*5)%len(shapes)], true)
		if err := NewEncoder(&buf, mustParse(t, text)).Encode(x); err != nil {
			t.Fatal(err)
		}
		sent = append(sent, x)
	}
	whole := bytes.Clone(buf.Bytes())
	d := NewDecoder(&buf, Limits{})
	for i, x := range sent {
		y, err := d.Decode()
		if err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		if !x.Equal(y) {
			t.Fatalf("frame %d differs", i)
		}
	}
	if _, err := d.Decode(); err == nil || err.Error() != "EOF" {
		t.Fatalf("at the end: %v, want EOF", err)
	}
	first, err := Append(nil, sent[0], Spec{})
	if err != nil {
		t.Fatal(err)
	}
	for cut := 1; cut < len(first); cut++ {
		_, err := NewDecoder(bytes.NewReader(whole[:cut]), Limits{}).Decode()
		if !errors.Is(err, ErrCorrupt) {
			t.Fatalf("stream cut at %d: %v", cut, err)
		}
	}
}

// TestDamage flips every bit and cuts at every byte of small frames: every one must be an error that names its place.
func TestDamage(t *testing.T) {
	rng := newRand(t, 5)
	for _, text := range []string{"raw", "lossless", "float16", "int4:entropy=rans", "int8:group=16", "uniform"} {
		x := activations(t, rng, tensor.Shape{1, 5, 40}, true)
		frame, err := Append(nil, x, mustParse(t, text))
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(frame) * 8 {
			bad := bytes.Clone(frame)
			bad[i/8] ^= 1 << (i % 8)
			checkRefused(t, bad)
		}
		for i := range frame {
			checkRefused(t, frame[:i])
		}
		checkRefused(t, append(bytes.Clone(frame), 0))
	}
}

func checkRefused(t *testing.T, frame []byte) {
	t.Helper()
	_, err := Decode(frame, Limits{})
	var where *FrameError
	if !errors.As(err, &where) || !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrLimit) || where.Offset > len(frame) {
		t.Fatalf("damaged frame gives %v", err)
	}
}

func TestLimits(t *testing.T) {
	x := tensor.Of[float32](tensor.Float32, tensor.Shape{100}, make([]float32, 100)...)
	frame, err := Append(nil, x, Spec{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(frame, Limits{MaxBytes: 399}); !errors.Is(err, ErrLimit) {
		t.Fatalf("400 bytes with a limit of 399: %v", err)
	}
	if _, err := Decode(frame, Limits{MaxBytes: 400}); err != nil {
		t.Fatal(err)
	}
}
