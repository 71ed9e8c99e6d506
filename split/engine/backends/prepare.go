package backends

import (
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine/native"
)

// Prepare makes a model ready for an engine: types inferred for the given shapes of inputs, by name, or its own where there is none,
// and canonicalised.
func Prepare(g *split.Graph, shapes map[string]tensor.Shape) (*split.Graph, error) {
	g, err := split.Specialize(g, shapes)
	if err != nil {
		return nil, err
	}
	canonical, err := split.Canonicalize(g, split.WithEvaluator(native.Evaluate(g.Opset[""])))
	if err != nil {
		return nil, err
	}
	for i := range g.Values { // those that were folded are not looked at again
		if t := g.Values[i].Const; t != nil {
			t.Cool()
		}
	}
	return canonical, nil
}
