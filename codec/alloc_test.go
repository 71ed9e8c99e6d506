package codec

import (
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// TestAppendDoesNotAllocate encodes into a reused buffer and decodes into a tensor, with every codec and its ways. Pictures are
// the exception: the standard library's coders allocate, a number of times that does not depend on the picture's size.
func TestAppendDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, and sync.Pool drops items at random under it")
	}
	rng := newRand(t, 6)
	x := activations(t, rng, tensor.Shape{1, 24, 32, 32}, true)
	table, err := Fit([]*tensor.Tensor{x}, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	repeating := x.Clone()
	v := tensor.Data[float32](repeating)
	for i := range v {
		v[i] = v[i%700]
	}
	c := NewCoder(table)
	tested := map[ID]bool{}
	for _, k := range []struct {
		spec  string
		x     *tensor.Tensor
		limit float64
	}{
		{"raw", x, 0},
		{"lossless", x, 0},
		{"lossless", activations(t, rng, tensor.Shape{1, 24, 32, 32}, false), 0},
		{"lossless", repeating, 0},
		{"lossless", narrowed(t, x, tensor.Float16), 0},
		{"float16", x, 0},
		{"bfloat16", x, 0},
		{"float8", x, 0},
		{"float8:format=e5m2", narrowed(t, x, tensor.BFloat16), 0},
		{"int8", x, 0},
		{"int8:axis=1", x, 0},
		{"int8:axis=-1", x, 0},
		{"int6:clip=mse", x, 0},
		{"int4:entropy=rans", x, 0},
		{"int4:axis=1,outliers=2", x, 0},
		{"int4:group=64", narrowed(t, x, tensor.Float16), 0},
		{"int3:axis=-1,entropy=rans", x, 0},
		{"int2", x, 0},
		{"uniform", x, 0},
		{"uniform:bits=1.5", x, 0},
		{"uniform:max-error=0.2", narrowed(t, x, tensor.BFloat16), 0},
		{"uniform:table=" + table.ID().String(), x, 0},
		{"jpeg:scale=60", activations(t, rng, tensor.Shape{64, 64, 3}, true), 60},
		{"png:scale=60", activations(t, rng, tensor.Shape{64, 64, 3}, true), 60},
	} {
		s := mustParse(t, k.spec)
		tested[s.ID] = true
		frame, err := c.Append(nil, k.x, s)
		if err != nil {
			t.Fatal(err)
		}
		y := k.x.Clone()
		if err := c.DecodeInto(y, frame, Limits{}); err != nil {
			t.Fatal(err)
		}
		encode := testing.AllocsPerRun(20, func() { frame, err = c.Append(frame[:0], k.x, s) })
		if err != nil {
			t.Fatal(err)
		}
		decode := testing.AllocsPerRun(20, func() { err = c.DecodeInto(y, frame, Limits{}) })
		if err != nil {
			t.Fatal(err)
		}
		if encode > k.limit || decode > k.limit {
			t.Errorf("%s of %v: %.0f allocations to encode, %.0f to decode, limit %.0f", k.spec, k.x, encode, decode, k.limit)
		}
	}
	for _, k := range Codecs() {
		if !tested[k.ID()] {
			t.Errorf("%s is not tested", k.Name())
		}
	}
}
