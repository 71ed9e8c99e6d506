package codec

import (
	"errors"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// picture is a smooth picture of 8-bit pixels as a float32 tensor pixel/scale + offset.
func picture(t *testing.T, h, w int, planar bool, scale, offset float32) *tensor.Tensor {
	t.Helper()
	shape := tensor.Shape{1, h, w, 3}
	if planar {
		shape = tensor.Shape{1, 3, h, w}
	}
	x, err := tensor.New(tensor.Float32, shape)
	if err != nil {
		t.Fatal(err)
	}
	v := tensor.Data[float32](x)
	for y := range h {
		for c := range w {
			for ch := range 3 {
				p := float32((y*3 + c*2 + ch*40) % 256)
				i := (y*w+c)*3 + ch
				if planar {
					i = (ch*h+y)*w + c
				}
				v[i] = float32(p/scale) + offset
			}
		}
	}
	return x
}

func TestImages(t *testing.T) {
	cases := []struct {
		spec          string
		planar        bool
		scale, offset float32
		largest       float64 // in pixels
	}{
		{"png:scale=127.5,offset=-1", false, 127.5, -1, 0},
		{"png:scale=255,order=bgr", true, 255, 0, 0},
		{"png", true, 1, 0, 0},
		{"jpeg:scale=127.5,offset=-1,quality=95", false, 127.5, -1, 200},
		{"jpeg:order=bgr", true, 1, 0, 250},
	}
	for _, c := range cases {
		x := picture(t, 33, 47, c.planar, c.scale, c.offset)
		frame, err := Append(nil, x, mustParse(t, c.spec))
		if err != nil {
			t.Fatal(err)
		}
		y, err := Decode(frame, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		_, largest, err := Compare(x, y)
		if err != nil {
			t.Fatal(err)
		}
		if largest*float64(c.scale) > c.largest {
			t.Errorf("%s: off by %g pixels", c.spec, largest*float64(c.scale))
		}
		for i := range len(frame) {
			bad := append([]byte(nil), frame...)
			bad[i] ^= 0x40
			checkRefused(t, bad)
		}
	}
	for _, shape := range []tensor.Shape{{1, 4, 5, 4}, {2, 4, 5, 3}, {3, 5}, {1, 3, 4, 3}, {1, 1 << 16, 1, 3}} {
		x, err := tensor.New(tensor.Float32, shape)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Append(nil, x, Spec{ID: PNG}); !errors.Is(err, ErrUnsuitable) {
			t.Errorf("%v as png: %v", shape, err)
		}
	}
}
