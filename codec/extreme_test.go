package codec

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// Values at the end of a type's range may round up; they must come back finite and within the frame's bound.
func TestLossyAtTheEndOfTheRange(t *testing.T) {
	ends := map[tensor.DType][]uint32{
		tensor.Float32:  {0x7f7fffff, 0x7f783126, 0x7f600001, 0x7f700000, 0x7f78ffff, 0x7f7f7fff, 0x7f7f8000},
		tensor.Float16:  {0x7bff, 0x7bfe, 0x7b80, 0x7b01, 0x7bc0},
		tensor.BFloat16: {0x7f7f, 0x7f78, 0x7f61, 0x7f70},
	}
	for _, text := range append([]string{"float8:format=e5m2"}, fuzzSpecs...) {
		s := mustParse(t, text)
		for d, patterns := range ends {
			if s.Lossless() || coders[s.ID].Accepts(d, tensor.Shape{1, 4}, s.Params) != nil {
				continue
			}
			for _, p := range patterns {
				for _, rest := range []uint32{0, 1, p} {
					width := d.Bits() / 8
					data := make([]byte, 4*width)
					for i, v := range []uint32{p, p | 1<<(8*width-1), rest, p - 1} {
						if width == 2 {
							binary.LittleEndian.PutUint16(data[2*i:], uint16(v))
						} else {
							binary.LittleEndian.PutUint32(data[4*i:], v)
						}
					}
					x, err := tensor.FromBytes(d, tensor.Shape{1, 4}, data)
					if err != nil {
						t.Fatal(err)
					}
					checkBound(t, s, x)
				}
			}
		}
	}
}

// A difference that the type cannot hold must not reach the receiver as one: infinities that stay, and jumps across the range.
func TestTemporalAtTheEndOfTheRange(t *testing.T) {
	inf := float32(math.Inf(-1))
	for _, text := range []string{"float16", "float8", "int8", "uniform"} {
		for _, pair := range [][2][]float32{{{inf, 1, 2, 3}, {inf, 1, 2, 4}}, {{3e38, 1, 2, 3}, {-3e38, 1, 2, 3}}} {
			enc, dec := NewDeltaEncoder(mustParse(t, text)), NewDeltaDecoder(Limits{})
			for _, values := range pair {
				x := tensor.Of(tensor.Float32, tensor.Shape{1, 4}, values...)
				update, seq, err := enc.Append(nil, x)
				if err != nil {
					t.Fatal(err)
				}
				y, _, err := dec.Decode(update)
				if err != nil {
					t.Fatal(err)
				}
				enc.Acknowledge(seq)
				if got := tensor.Data[float32](y)[0]; got != values[0] {
					t.Errorf("%s: %g arrives as %g", text, values[0], got)
				}
			}
		}
	}
}
