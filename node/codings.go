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

// transferTable remembers what values really weighed on the wire and how long their coding took, which corrects what was
// guessed from made-up inputs. It is safe for concurrent use.
type transferTable struct {
	mu   sync.Mutex
	seen map[transferKey]transferred // guarded by mu
}

type transferKey struct {
	graph string
	value split.ValueID
	codec string
}

// transferred holds the moving mean of sizes and the least of times, in seconds on a machine of Speed 1; 0 when never told.
type transferred struct{ bytes, encode, decode float64 }

// sizeGain is the weight of a new size in the mean.
const sizeGain = 0.2

func newTransferTable() *transferTable { return &transferTable{seen: map[transferKey]transferred{}} }

// add takes in one transfer of a graph's value; t's times are in seconds on a machine of Speed 1, 0 when unknown.
func (t *transferTable) add(graph string, v split.ValueID, codec string, now transferred) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := transferKey{graph, v, codec}
	old, ok := t.seen[k]
	if !ok {
		t.seen[k] = now
		return
	}
	old.bytes += sizeGain * (now.bytes - old.bytes)
	old.encode, old.decode = least(old.encode, now.encode), least(old.decode, now.decode)
	t.seen[k] = old
}

// least is the smaller of two times of which 0 says nothing.
func least(a, b float64) float64 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// correct puts measured figures into codings; the result is a new slice.
func (t *transferTable) correct(graph string, v split.ValueID, codings []planner.Coding) []planner.Coding {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]planner.Coding, len(codings))
	for i, c := range codings {
		s := t.seen[transferKey{graph, v, c.Codec}]
		if s.bytes > 0 {
			c.Bytes = int64(s.bytes)
		}
		if s.encode > 0 {
			c.Encode = s.encode
		}
		if s.decode > 0 {
			c.Decode = s.decode
		}
		out[i] = c
	}
	return out
}
