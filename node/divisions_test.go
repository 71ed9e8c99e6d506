package node

import (
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/split/engine/suite"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// TestTilesOverThreeNodesEqualLocalRun: a block of convolutions is computed in three tiles of rows, each on another node, and later ones in
// parts of channels; the answer is that of the undivided model, bit for bit.
func TestTilesOverThreeNodesEqualLocalRun(t *testing.T) {
	nodes := testMesh(t, "device", "edge", "cloud")
	c := testClient(t, nodes[0])
	pushModel(t, c, len(nodes))
	in, want := local(t)
	divisions := testDivisions(t)
	plan, err := c.Plan(t.Context(), client.PlanRequest{Model: "faces", Lossless: true, Divisions: divisions, Install: true})
	if err != nil {
		t.Fatal(err)
	}
	on := map[string]bool{}
	for _, s := range plan.Stages {
		on[s.Node] = true
	}
	if len(on) != 3 || len(plan.Divisions) != len(divisions) || !strings.Contains(plan.Picture, "concat") {
		t.Errorf("stages on %v, divisions %v:\n%s", on, plan.Divisions, plan.Picture)
	}
	for range 2 {
		res, err := c.Infer(t.Context(), client.InferRequest{Model: "faces", Plan: plan.ID, Inputs: in})
		if err != nil {
			t.Fatal(err)
		}
		sameOutputs(t, want, res.Outputs)
		if res.Report.Replanned || res.Report.Plan != plan.ID {
			t.Errorf("report %+v", res.Report)
		}
	}

	auto, err := c.Plan(t.Context(), client.PlanRequest{Model: "faces", Lossless: true, Splits: client.SplitsAuto, Install: true})
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Infer(t.Context(), client.InferRequest{Model: "faces", Plan: auto.ID, Inputs: in})
	if err != nil {
		t.Fatal(err)
	}
	sameOutputs(t, want, res.Outputs)

	for text, r := range map[string]client.PlanRequest{
		"no group":   {Divisions: []client.Division{{First: "nobody", Last: "nobody"}}},
		"no node":    {Divisions: []client.Division{{First: divisions[0].First, Last: divisions[0].Last, Axis: 2, Parts: divisions[0].Parts, Nodes: []string{"mars", "mars", "mars"}}}},
		"axis 7":     {Divisions: []client.Division{{First: divisions[0].First, Last: divisions[0].Last, Axis: 7, Parts: []int{1, 1}}}},
		"splits \"x": {Splits: "x"},
	} {
		r.Model = "faces"
		if _, err := c.Plan(t.Context(), r); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// testDivisions are two blocks of the test model: the first ten groups, or as many of them as end in one value, in tiles of rows, and
// a later group in parts of channels.
func testDivisions(t *testing.T) []client.Division {
	t.Helper()
	g, err := onnx.Load(testModel)
	if err != nil {
		t.Fatal(err)
	}
	bound, err := bind(g, nil)
	if err != nil {
		t.Fatal(err)
	}
	if g, err = suite.Prepare(g, bound); err != nil {
		t.Fatal(err)
	}
	names := []string{"device", "edge", "cloud"}
	var out []client.Division
	for first, axis := 0, 2; first < len(g.Groups) && axis > 0; first++ {
		for last := min(first+10, len(g.Groups)-1); last >= first; last-- {
			d := client.Division{First: g.Groups[first].Name, Last: g.Groups[last].Name, Axis: axis}
			ids, err := namedDivisions(g, []client.Division{d})
			if err != nil {
				t.Fatal(err)
			}
			v, err := g.BlockOutput(ids[0].First, ids[0].Last)
			if err != nil || len(g.Values[v].Shape) != 4 || g.Values[v].DType != tensor.Float32 || g.Values[v].Shape[axis] < 18 {
				continue
			}
			size := g.Values[v].Shape[axis]
			ids[0].Parts = []int{size / 4, size / 2, size - size/4 - size/2}
			if axis == 1 {
				ids[0].Parts = []int{8, 8, size - 16}
			}
			if _, err := g.Needs(ids[0]); err != nil {
				continue
			}
			d.Parts, d.Nodes = ids[0].Parts, names
			out = append(out, d)
			first, axis = last+1, axis-1
			break
		}
	}
	if len(out) != 2 {
		t.Fatalf("the test model has %d blocks to divide: %v", len(out), out)
	}
	return out
}
