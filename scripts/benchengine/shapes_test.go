package main

import (
	"testing"

	"github.com/cleave-mesh/cleave/split"
)

// TestGeneratedCosts checks the generated networks against their published sizes: multiply-accumulates and parameters.
func TestGeneratedCosts(t *testing.T) {
	for name, want := range map[string]struct{ megaMACs, megaParameters float64 }{
		"shape-mobilenetv2": {300, 3.5},
		"shape-resnet50":    {4100, 25.6},
	} {
		g, err := generated[name]()
		if err != nil {
			t.Fatal(err)
		}
		if g, err = split.Specialize(g, nil); err != nil {
			t.Fatal(err)
		}
		var flops, parameters float64
		for i := range g.Ops {
			if op := &g.Ops[i]; op.Is("Conv") || op.Is("Gemm") {
				flops += float64(g.Cost(split.OpID(i)).FLOPs)
			}
		}
		for i := range g.Values {
			if c := g.Values[i].Const; c != nil {
				parameters += float64(c.Len())
			}
		}
		const slack = 0.03 // the published figures are rounded
		if macs := flops / 2e6; macs < want.megaMACs*(1-slack) || macs > want.megaMACs*(1+slack) {
			t.Errorf("%s: %.0f million multiply-accumulates, published are %.0f", name, macs, want.megaMACs)
		}
		if p := parameters / 1e6; p < want.megaParameters*(1-slack) || p > want.megaParameters*(1+slack) {
			t.Errorf("%s: %.2f million parameters, published are %.1f", name, p, want.megaParameters)
		}
	}
}
