package codec

import (
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// benchSpecs are the codecs whose speed is published, with a tensor that is half zeros like one after ReLU.
var benchSpecs = []string{
	"raw", "lossless", "float16", "bfloat16", "float8", "int8", "int8:axis=1", "int8:axis=-1", "int8:group=64", "int4", "int4:clip=none",
	"int4:entropy=rans", "int2:entropy=rans", "uniform:rel=0.7", "jpeg:scale=60,offset=-2", "png:scale=60,offset=-2",
}

// benchShape is 0.8 million elements: 3.2 MB, larger than a core's caches of the second level.
func benchShape(s Spec) tensor.Shape {
	if s.ID == JPEG || s.ID == PNG {
		return tensor.Shape{1, 3, 224, 224}
	}
	return tensor.Shape{1, 64, 112, 112}
}

func BenchmarkEncode(b *testing.B) {
	for _, text := range benchSpecs {
		b.Run(text, func(b *testing.B) {
			s := mustParse(b, text)
			x := activations(b, newRand(b, 1), benchShape(s), true)
			b.SetBytes(int64(len(x.Bytes())))
			b.ReportAllocs()
			var frame []byte
			var err error
			for b.Loop() {
				if frame, err = Append(frame[:0], x, s); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(frame))*8/float64(x.Len()), "bits/elem")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, text := range benchSpecs {
		b.Run(text, func(b *testing.B) {
			s := mustParse(b, text)
			x := activations(b, newRand(b, 1), benchShape(s), true)
			frame, err := Append(nil, x, s)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(x.Bytes())))
			b.ReportAllocs()
			for b.Loop() {
				if err := DecodeInto(x, frame, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
