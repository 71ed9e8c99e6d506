package kernel

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"testing"
)

// vectorBits are hashes of what the vector code makes of sweep. Every instruction set of every architecture takes the same steps in the
// same order, and so gives the same bits. The Go loops cannot: they compute in float64 and round once, and so are closer.
var vectorBits = map[string]uint64{
	"Relu":        0x159f9376347f4794,
	"LeakyRelu":   0x9b7b1468c9a2f7c2,
	"HardSigmoid": 0xe28ce5c7b33fe6c9,
	"HardSwish":   0x7909c9f52ae09da2,
	"Exp":         0xfdd8d737aea09e0b,
	"Sigmoid":     0x1076cb361d0c23c9,
	"SiLU":        0x2f4373ceaec9859b,
	"Tanh":        0x5c8f719a869cc765,
	"Erf":         0xf121f077f1260ea5,
	"GELU":        0x1d46343ff2e01b01,
	"GELUTanh":    0x25c6fb9331feb1a,
	"Sqrt":        0x522c3f0e9933f0d3,
}

// sweep is float32 values of every magnitude and both signs, the special ones among them.
func sweep() []float32 {
	x := []float32{0, posInf, math.MaxFloat32, math.SmallestNonzeroFloat32}
	for i := range 1 << 12 {
		x = append(x, float32(i)/40, math.Float32frombits(uint32(i)*0x7f800+1))
	}
	for _, v := range x {
		x = append(x, -v)
	}
	return x
}

func TestVectorBits(t *testing.T) {
	onEach(t, func(t *testing.T) {
		if active == Generic {
			return
		}
		x := sweep()
		y := make([]float32, len(x))
		for _, c := range unaryCases {
			want, ok := vectorBits[c.name]
			if !ok {
				continue
			}
			c.f(y, x)
			h := fnv.New64a()
			for _, v := range y {
				b := math.Float32bits(v)
				switch {
				case v != v: // processors differ in the NaN that they make
					b = 0x7fc00000
				case v == 0: // and in the sign of the larger of two zeros
					b = 0
				}
				h.Write(binary.LittleEndian.AppendUint32(nil, b))
			}
			if got := h.Sum64(); got != want {
				t.Errorf("%q: %#x, want %#x", c.name, got, want)
			}
		}
	})
}
