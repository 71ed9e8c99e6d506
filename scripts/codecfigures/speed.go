package main

import (
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// speeds prints GB/s of float32 on one core for a tensor like one after ReLU: half of the elements zero, the others the
// positive half of a Gaussian.
func speeds(w io.Writer) error {
	t, err := tensor.New(tensor.Float32, tensor.Shape{1, 64, 112, 112})
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range tensor.Data[float32](t) {
		tensor.Data[float32](t)[i] = float32(max(rng.NormFloat64(), 0))
	}
	fmt.Fprintf(w, "## Speed\n\nOne core, processor time, float32 %v (%d bytes), half zeros, a Gaussian's positive half.\n\n", t.Shape(), len(t.Bytes()))
	fmt.Fprintf(w, "| codec | bits per element | encode GB/s | decode GB/s |\n|---|---:|---:|---:|\n")
	for _, text := range []string{
		"raw", "float16", "bfloat16", "float8", "int8", "int8:axis=1", "int8:axis=-1", "int8:group=64", "int4", "int4:entropy=rans",
		"int2:entropy=rans", "uniform:rel=0.7", "lossless",
	} {
		s, err := codec.Parse(text)
		if err != nil {
			return err
		}
		frame, err := codec.Append(nil, t, s)
		if err != nil {
			return err
		}
		got := t.Clone()
		enc := fastest(func() { frame, err = codec.Append(frame[:0], t, s) })
		if err != nil {
			return err
		}
		dec := fastest(func() { err = codec.DecodeInto(got, frame, codec.Limits{}) })
		if err != nil {
			return err
		}
		n := float64(len(t.Bytes()))
		fmt.Fprintf(w, "| %s | %.2f | %.2f | %.2f |\n", text, float64(len(frame))*8/float64(t.Len()), n/enc, n/dec)
	}
	fmt.Fprintln(w)
	return nil
}
