package tensor

import (
	"math"
	"testing"
)

func TestFloat16RoundTrip(t *testing.T) {
	for h := range 1 << 16 {
		x := FromFloat16(uint16(h))
		if got := ToFloat16(x); got != uint16(h) && !(x != x && got&0x7c00 == 0x7c00 && got&0x3ff != 0) {
			t.Fatalf("%#04x is %v, back it is %#04x", h, x, got)
		}
		if b := FromBFloat16(uint16(h)); b == b && ToBFloat16(b) != uint16(h) {
			t.Fatalf("bfloat16 %#04x is %v, back it is %#04x", h, b, ToBFloat16(b))
		}
	}
}

func TestFloat16Rounding(t *testing.T) {
	for _, c := range []struct {
		x    float32
		want uint16
	}{
		{1, 0x3c00},
		{-2, 0xc000},
		{65504, 0x7bff},
		{65519.99, 0x7bff},
		{65520, 0x7c00},
		{float32(math.Inf(-1)), 0xfc00},
		{1 + 1.0/2048, 0x3c00},
		{1 + 3.0/2048, 0x3c02},
		{1.0 / (1 << 25), 0},
		{1.5 / (1 << 24), 2},
		{6.1035e-5, 0x0400},
	} {
		if got := ToFloat16(c.x); got != c.want {
			t.Errorf("%v: %#04x, want %#04x", c.x, got, c.want)
		}
	}
	if got := ToBFloat16(float32(math.NaN())); FromBFloat16(got) == FromBFloat16(got) {
		t.Errorf("NaN became %#04x", got)
	}
}
