package codectest

import (
	"testing"

	"github.com/cleave-mesh/cleave/codec"
)

func TestEveryCodec(t *testing.T) {
	covered := map[codec.ID]bool{}
	for _, text := range []string{
		"raw", "lossless", "lossless:chunk=64", "float16", "bfloat16", "float8", "float8:format=e5m2", "int8", "int8:axis=-1", "int6:chunk=128",
		"int4:group=32", "int4:entropy=rans", "int3", "int2:clip=mse", "jpeg", "png", "uniform", "uniform:max-error=0.05", "uniform:bits=1.5",
	} {
		t.Run(text, func(t *testing.T) {
			s, err := codec.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			covered[s.ID] = true
			Run(t, s, 51)
		})
	}
	for _, c := range codec.Codecs() {
		if !covered[c.ID()] {
			t.Errorf("%s is not held to the suite", c.Name())
		}
	}
}
