package engine_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/native"
	"github.com/cleave-mesh/cleave/split/engine/suite"
	"github.com/cleave-mesh/cleave/split/onnx"
)

func TestProfile(t *testing.T) {
	g, err := onnx.Load("../../internal/demo/assets/blazeface-front.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if g, err = suite.Prepare(g, nil); err != nil {
		t.Fatal(err)
	}
	p, err := engine.NewProfile(context.Background(), native.New(native.Config{}), g, engine.ProfileOptions{Runs: 3, Cuts: 3, Budget: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	n := len(g.Groups)
	sum := 0.0
	for _, s := range p.Groups {
		sum += s
	}
	if math.Abs(sum-p.Whole) > 1e-9 {
		t.Errorf("groups add up to %g s, the whole is %g s", sum, p.Whole)
	}
	if p.Front[0] != 0 || p.Back[n] != 0 || math.Abs(p.Front[n]-p.Whole) > 1e-9 || math.Abs(p.Back[0]-p.Whole) > 1e-9 {
		t.Errorf("ends: front %g and %g, back %g and %g, whole %g", p.Front[0], p.Front[n], p.Back[0], p.Back[n], p.Whole)
	}
	if len(p.Timed) < 1 || len(p.Timed) > 3 || p.Memory.Weights <= 0 || p.Memory.Activations <= 0 {
		t.Errorf("timed %v, memory %+v", p.Timed, p.Memory)
	}
	if s := p.Segment(0, n); math.Abs(s-p.Whole) > 1e-9 {
		t.Errorf("the whole as a segment takes %g s, not %g s", s, p.Whole)
	}
}

func TestProfileRefusesOpenShapes(t *testing.T) {
	b := split.NewBuilder("open", 21)
	x := b.Input("x", split.Type{DType: tensor.Float32, Shape: tensor.Shape{tensor.Unknown}})
	b.Output(b.Op("Relu", nil, x))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.NewProfile(context.Background(), native.New(native.Config{}), g, engine.ProfileOptions{}); !errors.Is(err, engine.ErrDynamic) {
		t.Errorf("got %v", err)
	}
}
