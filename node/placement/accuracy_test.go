package placement

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/codec/calibrate"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
)

func TestAccuracyChoosesAmongTheCurve(t *testing.T) {
	v := &split.Value{Name: "v", DType: tensor.Float32, Shape: tensor.Shape{1000}}
	point := func(spec string, bytes, effect, agreement float64) calibrate.Point {
		return calibrate.Point{Codec: spec, Bytes: bytes, Effect: calibrate.Effect{Error: effect, Agreement: agreement}}
	}
	f := &calibrate.File{Values: []calibrate.Value{{Name: "v", DType: "float32", Shape: tensor.Shape{1000}, Points: []calibrate.Point{
		point("lossless", 3000, 0, 1), point("int8", 1000, 0.01, 1), point("uniform:rel=1", 100, 0.2, 0.995), point("uniform:rel=2", 50, 0.4, 0.5),
		point("int4", 600, 0.3, 1), point("float16", 2000, 0.02, 1),
	}}}}
	measured := []planner.Coding{{Codec: "raw", Bytes: 4064}, {Codec: "int8", Bytes: 1, Loss: 0.001}, {Codec: "bfloat16", Bytes: 1999, Loss: 0.015}}
	for _, c := range []struct {
		budget Accuracy
		file   *calibrate.File
		want   string
	}{
		{Accuracy{Lossless: true}, f, "lossless 0"},
		{Accuracy{MaxLoss: 0.05}, f, "lossless 0, int8 0.01"},
		{Accuracy{MaxLoss: 0.25}, f, "lossless 0, int8 0.01, uniform:rel=1 0.2"},
		{Accuracy{}, f, "lossless 0, int8 0.01, uniform:rel=1 0.2, uniform:rel=2 0.4"},
		{Accuracy{Agreement: 0.99}, f, "uniform:rel=1 0.005, int4 0"},
		{Accuracy{Agreement: 1}, f, "int4 0"},
		{Accuracy{MaxLoss: 0.05}, nil, "raw 0, int8 0.001"},
		{Accuracy{Agreement: 0.99}, nil, "raw 0"},
	} {
		var got []string
		for _, k := range c.budget.Codings(c.file, v, measured) {
			got = append(got, fmt.Sprintf("%s %.3g", k.Codec, k.Loss))
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%+v: %s, want %s", c.budget, text, c.want)
		}
	}
}
