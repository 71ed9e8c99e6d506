package codectest

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// shapes are tried with every element type that the codec accepts.
var shapes = []tensor.Shape{{}, {0, 3}, {1}, {5, 13}, {1, 3, 9, 11}, {1, 9, 11, 3}, {3, 4097}}

// Run holds one spec to the contract of package codec. seed is printed on failure.
func Run(t *testing.T, spec codec.Spec, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%v with seed %d", spec, seed)
		}
	})
	var c codec.Codec
	for _, k := range codec.Codecs() {
		if k.ID() == spec.ID {
			c = k
		}
	}
	if c == nil {
		t.Fatalf("no codec has number %d", spec.ID)
	}
	again, err := codec.Parse(spec.String())
	if err != nil || again.String() != spec.String() {
		t.Fatalf("%v does not survive Parse: %v, %v", spec, again, err)
	}
	accepted := 0
	for d := tensor.DType(1); d.Valid(); d++ {
		for _, s := range shapes {
			x := fill(t, rng, d, s)
			frame, err := codec.Append([]byte{1, 2, 3}, x, spec)
			if refused := c.Accepts(d, s, spec.Params); refused != nil {
				if !errors.Is(refused, codec.ErrUnsuitable) || !errors.Is(err, codec.ErrUnsuitable) || len(frame) != 3 {
					t.Errorf("%v is not accepted (%v), but encoding gives %d bytes and %v", x, refused, len(frame), err)
				}
				continue
			}
			if errors.Is(err, codec.ErrUnsuitable) && len(frame) == 3 {
				continue // its values do not fit, which type and shape cannot tell
			}
			if err != nil || !bytes.HasPrefix(frame, []byte{1, 2, 3}) {
				t.Errorf("%v: %v", x, err)
				continue
			}
			accepted++
			check(t, rng, spec, x, frame[3:])
		}
	}
	if accepted == 0 {
		t.Error("no tensor is accepted")
	}
}

// fill makes a tensor: finite values half of which are 0 for float32, random bits for other types.
func fill(t *testing.T, rng *rand.Rand, d tensor.DType, s tensor.Shape) *tensor.Tensor {
	t.Helper()
	x, err := tensor.New(d, s)
	if err != nil {
		t.Fatal(err)
	}
	for i := range x.Strings() {
		x.Strings()[i] = string(rune('a' + rng.IntN(26)))
	}
	if d == tensor.Float32 {
		for i := range tensor.Data[float32](x) {
			tensor.Data[float32](x)[i] = float32(max(rng.NormFloat64(), 0))
		}
		return x
	}
	b := x.Bytes()
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	if tail := x.Len() * d.Bits() % 8; tail != 0 {
		b[len(b)-1] &= 1<<tail - 1
	}
	return x
}

// check decodes a frame of x in every way, and damages it.
func check(t *testing.T, rng *rand.Rand, spec codec.Spec, x *tensor.Tensor, frame []byte) {
	t.Helper()
	y, err := codec.Decode(frame, codec.Limits{})
	if err != nil {
		t.Errorf("%v: %v", x, err)
		return
	}
	if y.DType() != x.DType() || !y.Shape().Equal(x.Shape()) {
		t.Errorf("%v decodes to %v", x, y)
		return
	}
	if spec.Lossless() && !x.Equal(y) {
		t.Errorf("%v: a lossless codec changes it", x)
	}
	bound, err := codec.Bound(frame)
	if err != nil {
		t.Errorf("%v: bound: %v", x, err)
	}
	if x.DType() == tensor.Float32 {
		for i, v := range tensor.Data[float32](x) {
			if d := math.Abs(float64(v) - float64(tensor.Data[float32](y)[i])); !(d <= bound.Of(float64(v))) {
				t.Errorf("%v: element %d is off by %g, bound %g", x, i, d, bound.Of(float64(v)))
				break
			}
		}
	}
	var stream bytes.Buffer
	if err := codec.NewEncoder(&stream, spec).Encode(x); err != nil || !bytes.Equal(stream.Bytes(), frame) {
		t.Errorf("%v: a stream differs from a frame: %v", x, err)
	}
	z, err := codec.NewDecoder(&stream, codec.Limits{}).Decode()
	if err != nil || !y.Equal(z) {
		t.Errorf("%v: decoding a stream differs: %v", x, err)
	}
	concurrently(t, spec, x, frame)
	if n := int64(len(x.Bytes())); n > 1 {
		if _, err := codec.Decode(frame, codec.Limits{MaxBytes: n - 1}); !errors.Is(err, codec.ErrLimit) {
			t.Errorf("%v with a limit of one byte less: %v", x, err)
		}
	}
	for range 40 {
		bad := bytes.Clone(frame)
		if rng.IntN(2) == 0 {
			bad = bad[:rng.IntN(len(bad))]
		} else {
			bad[rng.IntN(len(bad))] ^= byte(1 << rng.IntN(8))
		}
		var where *codec.FrameError
		if _, err := codec.Decode(bad, codec.Limits{}); !errors.As(err, &where) || where.Error() == "" {
			t.Errorf("%v: a damaged frame gives %v", x, err)
		}
	}
}

// concurrently encodes x on several goroutines, which must all give the same bytes.
func concurrently(t *testing.T, spec codec.Spec, x *tensor.Tensor, frame []byte) {
	t.Helper()
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			got, err := codec.Append(nil, x, spec)
			if err != nil || !bytes.Equal(got, frame) {
				t.Errorf("%v: encoding it at the same time differs: %v", x, err)
			}
		})
	}
	wait.Wait()
}
