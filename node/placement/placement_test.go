package placement

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
)

// branchy is x -> Relu -> (Exp, Neg) -> Add.
func branchy(t *testing.T) *split.Graph {
	t.Helper()
	b := split.NewBuilder("branchy", 17)
	f := split.Type{DType: tensor.Float32, Shape: tensor.Shape{1, 8}}
	x := b.Input("x", f)
	a := b.Op("Relu", nil, x)
	p, q := b.Op("Exp", nil, a), b.Op("Neg", nil, a)
	b.Output(b.Op("Add", nil, p, q))
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if g, err = split.Specialize(g, map[string]tensor.Shape{"x": {1, 8}}); err != nil {
		t.Fatal(err)
	}
	if g, err = split.Canonicalize(g); err != nil {
		t.Fatal(err)
	}
	return g
}

func question(g *split.Graph) *Question {
	profile := func(total float64) []Profile {
		p := Profile{Backend: "native", Total: total, Groups: make([]float64, len(g.Groups))}
		for i := range p.Groups {
			p.Groups[i] = total / float64(len(g.Groups))
		}
		return []Profile{p}
	}
	path := planner.Path{Goodput: 1e6}
	return &Question{
		Model: "m", Graph: g, Objective: planner.Latency,
		Machines: []Machine{{ID: "A", Name: "slow", Profiles: profile(1)}, {ID: "B", Name: "fast", Profiles: profile(0.1)}, {ID: "C", Name: "mute"}},
		Paths:    [][]planner.Path{{{}, path, path}, {path, {}, path}, {path, path, {}}},
		Codings:  func(v split.ValueID) []planner.Coding { return []planner.Coding{{Codec: "raw", Bytes: 32}} },
	}
}

func TestProblemIsValidAndPlansRun(t *testing.T) {
	g := branchy(t)
	q := question(g)
	p, f, err := q.Problem()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	if len(f.Groups) != len(g.Groups) || len(f.Nodes) != 3 || f.Backends[2] != "" {
		t.Errorf("frame %+v", f)
	}
	if err := f.Check(g); err != nil {
		t.Error(err)
	}
	solver, err := planner.Lookup("")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := solver.Plan(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range plan.Place {
		if n != 1 {
			t.Errorf("place %v: everything belongs on the fast machine", plan.Place)
		}
	}
}

func TestInputsStay(t *testing.T) {
	q := question(branchy(t))
	q.InputsStay = true
	p, f, err := q.Problem()
	if err != nil {
		t.Fatal(err)
	}
	x := f.ValueOf(q.Graph.Inputs[0])
	if x < 0 || !slices.Equal(p.Values[x].Stay, []planner.NodeID{0}) {
		t.Errorf("the input may be at %v", p.Values[x].Stay)
	}
}

func TestValuesThatCannotTravelTieTheirPieces(t *testing.T) {
	g := branchy(t)
	q := question(g)
	q.Codings = func(v split.ValueID) []planner.Coding {
		if g.Values[v].Producer == 0 { // what the first op makes
			return nil
		}
		return []planner.Coding{{Codec: "raw", Bytes: 32}}
	}
	p, _, err := q.Problem()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	v := p.Values[p.Pieces[0].Out[0]]
	if p.Pieces[0].Class == 0 {
		t.Fatal("the producer is not tied")
	}
	for _, c := range v.Consumers {
		if p.Pieces[c].Class != p.Pieces[0].Class {
			t.Errorf("piece %d is not tied to the producer", c)
		}
	}
}

func TestFramesAreContentAddressed(t *testing.T) {
	_, f, err := question(branchy(t)).Problem()
	if err != nil {
		t.Fatal(err)
	}
	f.Model, f.Graph = "m", "g"
	b, id, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, same, err := Decode(b)
	if err != nil || same != id || again.Model != "m" || again.Node("B") != 1 || again.Node("Z") != -1 {
		t.Errorf("decoded %+v, %v", again, err)
	}
	f.Codecs[0] = []string{"float16"}
	if _, other, _ := f.Encode(); other == id {
		t.Error("another content has the same id")
	}
	if _, err := again.GroupsOf([]planner.PieceID{99}); !errors.Is(err, ErrFrame) {
		t.Errorf("a piece out of range gives %v", err)
	}
	if _, err := again.Codec(0, 5); !errors.Is(err, ErrFrame) {
		t.Errorf("a coding out of range gives %v", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, text := range []string{"", "{", `{"nodes":["A"],"backends":[]}`, `{"values":[1],"codecs":[]}`} {
		if _, _, err := Decode([]byte(text)); !errors.Is(err, ErrFrame) {
			t.Errorf("%q gives %v", text, err)
		}
	}
	g := branchy(t)
	for _, f := range []Frame{{Groups: []split.GroupID{99}}, {Groups: []split.GroupID{1, 1}}, {Groups: []split.GroupID{-1}}, {Values: []split.ValueID{9999}}} {
		if err := f.Check(g); !errors.Is(err, ErrFrame) {
			t.Errorf("%+v gives %v", f, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"model":"m","nodes":["A"],"backends":["native"],"groups":[0],"values":[0],"codecs":[["raw"]]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, _, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrFrame) {
				t.Errorf("error of another kind: %v", err)
			}
			return
		}
		fr.Node("A")
		fr.ValueOf(0)
		_, _ = fr.Codec(0, 0)
		_, _ = fr.GroupsOf([]planner.PieceID{0, -1})
	})
}
