package calibrate

import "testing"

func TestGoalChoosesAmongTheCurve(t *testing.T) {
	point := func(codec string, bits, effect, agreement float64) Point {
		return Point{Codec: codec, Bits: bits, Effect: Effect{Error: effect, Agreement: agreement}}
	}
	points := []Point{
		point("lossless", 20, 0, 1), point("float16", 16, 0.0001, 1), point("int8", 8, 0.01, 1), point("int4", 4, 0.2, 0.9),
		point("uniform:rel=0.5", 1.5, 0.1, 1), point("uniform:rel=1", 0.9, 0.3, 0.95),
	}
	for _, c := range []struct {
		goal Goal
		want string
	}{
		{Goal{}, "lossless"},
		{Goal{MaxError: 0.05}, "int8"},
		{Goal{MaxError: 0.15}, "uniform:rel=0.5"},
		{Goal{Agreement: 0.99}, "uniform:rel=0.5"},
		{Goal{Agreement: 0.9}, "uniform:rel=1"},
		{Goal{Bits: 16}, "float16"},
		{Goal{Bits: 4}, "uniform:rel=0.5"},
		{Goal{Bits: 1}, "uniform:rel=1"},
		{Goal{Bits: 4, MaxError: 0.01}, ""},
		{Goal{Bits: 0.5}, ""},
	} {
		got := ""
		if p := c.goal.Choose(points); p != nil {
			got = p.Codec
		}
		if got != c.want {
			t.Errorf("%v: %s, want %s", c.goal, got, c.want)
		}
	}
	f := File{Values: []Value{{Points: points}}, Cuts: []Cut{{Points: points}, {Points: points[3:4]}}}
	f.Choose(Goal{Agreement: 0.99})
	if f.Values[0].Choice != "uniform:rel=0.5" || f.Cuts[0].Choice != "uniform:rel=0.5" || f.Cuts[1].Choice != "" || f.Goal.Agreement != 0.99 {
		t.Errorf("recorded %+v %q %q %q", f.Goal, f.Values[0].Choice, f.Cuts[0].Choice, f.Cuts[1].Choice)
	}
}
