package tensor

import (
	"bytes"
	"errors"
	"testing"
)

func TestNPYRoundTrip(t *testing.T) {
	for _, in := range []*Tensor{
		Of(Float32, Shape{2, 3}, float32(1), 2, 3, 4, 5, 6),
		Of(Int64, Shape{}, int64(-7)),
		Of(Uint8, Shape{3}, uint8(1), 2, 255),
		Of(Bool, Shape{1, 2}, true, false),
		Of[float32](Float32, Shape{0, 4}),
	} {
		var b bytes.Buffer
		if err := WriteNPY(&b, in); err != nil {
			t.Fatal(err)
		}
		out, err := ReadNPY(&b)
		if err != nil {
			t.Fatal(err)
		}
		if !out.Equal(in) {
			t.Errorf("%v came back as %v", in, out)
		}
	}
}

func TestNPYRefuses(t *testing.T) {
	var b bytes.Buffer
	if err := WriteNPY(&b, Of(Float32, Shape{4}, float32(1), 2, 3, 4)); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	for name, data := range map[string][]byte{
		"empty":        nil,
		"other format": []byte("PK\x03\x04 this is a zip file"),
		"header cut":   whole[:30],
		"data cut":     whole[:len(whole)-1],
		"column-major": bytes.Replace(whole, []byte("False"), []byte("True "), 1),
		"big-endian":   bytes.Replace(whole, []byte("<f4"), []byte(">f4"), 1),
		"huge":         bytes.Replace(whole, []byte("(4,), }   "), []byte("(99999999,"), 1),
	} {
		if _, err := ReadNPY(bytes.NewReader(data)); !errors.Is(err, ErrNPY) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzReadNPY(f *testing.F) {
	var b bytes.Buffer
	if err := WriteNPY(&b, Of(Float32, Shape{2}, float32(1), 2)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := ReadNPY(bytes.NewReader(data))
		if err == nil && len(v.Bytes()) > len(data) {
			t.Errorf("%d bytes became a tensor of %d", len(data), len(v.Bytes()))
		}
	})
}
