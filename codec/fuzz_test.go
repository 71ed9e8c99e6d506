package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// fuzzSpecs are the specs whose frames seed the fuzzers; images are left to their own seeds because they are slow.
var fuzzSpecs = []string{
	"raw", "raw:chunk=64", "lossless", "lossless:chunk=64", "float16", "bfloat16", "float8", "int8", "int8:axis=1", "int6:group=16",
	"int4:entropy=rans", "int3:axis=-1,outliers=2", "int2:clip=mse,chunk=128", "uniform", "uniform:rel=0.02,chunk=64",
	"png", "jpeg:quality=50",
}

// resum makes the checksums of a frame right as far as its lengths can be followed, so that mutations reach the decoders.
func resum(frame []byte) []byte {
	b := bytes.Clone(frame)
	if len(b) < prefixBytes {
		return b
	}
	end := prefixBytes + int(binary.LittleEndian.Uint32(b[8:]))
	if end < prefixBytes || end > len(b)-sumBytes {
		return b
	}
	binary.LittleEndian.PutUint32(b[end:], crc32.Checksum(b[:end], castagnoli))
	for at := end + sumBytes; len(b)-at >= chunkPrefix; {
		n := int(binary.LittleEndian.Uint32(b[at+4:]))
		end := at + chunkPrefix + n
		if n > len(b) || end > len(b)-sumBytes {
			break
		}
		binary.LittleEndian.PutUint32(b[end:], crc32.Checksum(b[at:end], castagnoli))
		at = end + sumBytes
	}
	return b
}

// FuzzDecode feeds frames with right checksums to the decoder: it must return a tensor or a *FrameError, and what it
// returns must survive a lossless round trip.
func FuzzDecode(f *testing.F) {
	rng := rand.New(rand.NewPCG(7, 1))
	for _, text := range fuzzSpecs {
		s := mustParse(f, text)
		for _, shape := range []tensor.Shape{{}, {1, 3, 5}, {1, 4, 40}, {2, 8, 9, 3}} {
			x := activations(f, rng, shape, true)
			if frame, err := Append(nil, x, s); err == nil {
				f.Add(frame)
			}
		}
	}
	for _, d := range []tensor.DType{tensor.String, tensor.Int4, tensor.Complex128, tensor.Float16} {
		frame, err := Append(nil, noise(f, rng, d, tensor.Shape{3, 5}, true), Spec{ID: Lossless})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lim := Limits{MaxBytes: 1 << 20}
		x, err := Decode(resum(data), lim)
		if err != nil {
			var where *FrameError
			if !errors.As(err, &where) {
				t.Fatalf("error is not a FrameError: %v", err)
			}
			return
		}
		if _, err := NewDecoder(bytes.NewReader(resum(data)), lim).Decode(); err != nil {
			t.Fatalf("Decode accepts what Decoder refuses: %v", err)
		}
		again, err := Append(nil, x, Spec{ID: Lossless})
		if err != nil {
			t.Fatal(err)
		}
		y, err := Decode(again, lim)
		if err != nil || !x.Equal(y) {
			t.Fatalf("lossless round trip of %v: %v", x, err)
		}
	})
}

// FuzzRoundTrip encodes arbitrary bits of every type under every spec: what a codec accepts must come back within the
// frame's bound.
func FuzzRoundTrip(f *testing.F) {
	f.Add(uint8(1), uint8(0), uint16(3), []byte("some bytes that make elements"))
	f.Add(uint8(1), uint8(9), uint16(2), bytes.Repeat([]byte{0, 0, 0x80, 0x7f}, 40))
	f.Add(uint8(10), uint8(5), uint16(1), bytes.Repeat([]byte{1, 0x7c}, 100))
	f.Fuzz(func(t *testing.T, dtype, spec uint8, rows uint16, data []byte) {
		d := tensor.DType(dtype)
		if !d.Valid() || d == tensor.String {
			return
		}
		n := len(data) * 8 / d.Bits()
		r := max(int(rows)%64, 1)
		shape := tensor.Shape{1, r, n / r}
		size, err := tensor.Bytes(d, shape)
		if err != nil {
			t.Fatal(err)
		}
		data = bytes.Clone(data[:size])
		if tail := shape[1] * shape[2] * d.Bits() % 8; tail != 0 {
			data[size-1] &= 1<<tail - 1
		}
		x, err := tensor.FromBytes(d, shape, data)
		if err != nil {
			t.Fatal(err)
		}
		s := mustParse(t, fuzzSpecs[int(spec)%len(fuzzSpecs)])
		if coders[s.ID].Accepts(d, shape, s.Params) != nil || s.ID == JPEG || s.ID == PNG {
			return
		}
		if s.Lossless() {
			frame, err := Append(nil, x, s)
			if err != nil {
				t.Fatal(err)
			}
			y, err := Decode(frame, Limits{})
			if err != nil || !x.Equal(y) {
				t.Fatalf("%v of %v: %v", s, x, err)
			}
			return
		}
		checkBound(t, s, x)
	})
}
