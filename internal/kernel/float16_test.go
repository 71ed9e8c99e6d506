package kernel

import (
	"math"
	"testing"
)

func TestFloat16(t *testing.T) {
	onEach(t, func(t *testing.T) {
		all := make([]uint16, 1<<16)
		for i := range all {
			all[i] = uint16(i)
		}
		wide, back := make([]float32, len(all)), make([]uint16, len(all))
		Float16ToFloat32(wide, all)
		Float32ToFloat16(back, wide)
		for i, h := range all {
			if exp, frac := h>>10&31, h&1023; exp == 31 && frac != 0 {
				if wide[i] == wide[i] || back[i]&0x7c00 != 0x7c00 || back[i]&1023 == 0 {
					t.Fatalf("NaN %#x became %v and %#x", h, wide[i], back[i])
				}
				continue
			}
			if back[i] != h {
				t.Fatalf("%#x became %v and %#x", h, wide[i], back[i])
			}
		}
		// Halfway between neighbours the even one is taken, beside it the nearer one.
		for h := uint16(0); h < 0x7bff; h++ {
			lo, hi := FromFloat16(h), FromFloat16(h+1)
			mid := (lo + hi) / 2
			src := []float32{mid, math.Nextafter32(mid, negInf), math.Nextafter32(mid, posInf), -mid}
			dst := make([]uint16, 4)
			Float32ToFloat16(dst, src)
			even := h + h&1
			if want := [4]uint16{even, h, h + 1, even | 0x8000}; [4]uint16(dst) != want {
				t.Fatalf("near %v: %#x, want %#x", mid, dst, want)
			}
		}
	})
}

func TestBFloat16(t *testing.T) {
	cases := map[float32]uint16{1: 0x3f80, 1.00390625: 0x3f80, 1.01171875: 0x3f82, -2: 0xc000, posInf: 0x7f80, 3.4e38: 0x7f80}
	for v, want := range cases {
		if got := ToBFloat16(v); got != want {
			t.Errorf("ToBFloat16(%v) = %#x, want %#x", v, got, want)
		}
	}
	wide := make([]float32, 1)
	BFloat16ToFloat32(wide, []uint16{ToBFloat16(float32(math.NaN()))})
	if wide[0] == wide[0] {
		t.Errorf("NaN became %v", wide[0])
	}
}
