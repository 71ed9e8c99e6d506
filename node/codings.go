package node

import (
	"sync"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/placement"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
)

// candidates lists the codecs to try on each value of a graph. image, when not "", is the parameters with which a picture
// input maps to pixels.
func candidates(g *split.Graph, image string) func(v split.ValueID) []codec.Spec {
	inputs := map[split.ValueID]bool{}
	for _, v := range g.Inputs {
		inputs[v] = true
	}
	parse := func(texts ...string) (specs []codec.Spec) {
		for _, text := range texts {
			if s, err := codec.Parse(text); err == nil {
				specs = append(specs, s)
			}
		}
		return specs
	}
	exact, float := parse("raw", "lossless"), parse("raw", "lossless", "float16", "int8")
	var picture []codec.Spec
	if image != "" {
		picture = parse("jpeg:"+image, "png:"+image)
	}
	return func(id split.ValueID) []codec.Spec {
		v := &g.Values[id]
		if !placement.Travels(v) {
			return nil
		}
		specs := exact
		if v.DType == tensor.Float32 {
			specs = float
		}
		if inputs[id] {
			specs = append(specs[:len(specs):len(specs)], picture...)
		}
		return specs
	}
}

// sizeTable remembers how many bytes values really took, which corrects what was guessed from made-up inputs. It is safe for
// concurrent use.
type sizeTable struct {
	mu    sync.Mutex
	bytes map[sizeKey]float64 // guarded by mu; moving mean
}

type sizeKey struct {
	graph string
	value split.ValueID
	codec string
}

// sizeGain is the weight of a new size in the mean.
const sizeGain = 0.2

func newSizeTable() *sizeTable { return &sizeTable{bytes: map[sizeKey]float64{}} }

func (t *sizeTable) add(graph string, v split.ValueID, codec string, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := sizeKey{graph, v, codec}
	if old, ok := t.bytes[k]; ok {
		t.bytes[k] = old + sizeGain*(float64(n)-old)
	} else {
		t.bytes[k] = float64(n)
	}
}

// correct puts measured sizes into codings; the result is a new slice.
func (t *sizeTable) correct(graph string, v split.ValueID, codings []planner.Coding) []planner.Coding {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]planner.Coding, len(codings))
	for i, c := range codings {
		if b, ok := t.bytes[sizeKey{graph, v, c.Codec}]; ok {
			c.Bytes = int64(b)
		}
		out[i] = c
	}
	return out
}
