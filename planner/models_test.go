package planner

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// modelFiles are the model in the repository and, where CLEAVE_SHARED names their folder and -short is not given, the shared ones whose
// constants are not generated and large.
func modelFiles(t testing.TB) []string {
	t.Helper()
	files := []string{filepath.Join("..", "internal", "demo", "assets", "blazeface-front.onnx")}
	if dir := os.Getenv("CLEAVE_SHARED"); dir != "" && !testing.Short() {
		shared, err := filepath.Glob(filepath.Join(dir, "models", "*", "model.onnx"))
		if err != nil || len(shared) == 0 {
			t.Fatalf("no models in %s: %v", dir, err)
		}
		files = append(files, shared...)
	}
	return slices.DeleteFunc(files, func(f string) bool {
		name := filepath.Base(filepath.Dir(f))
		return name == "light-vgg19" || name == "light-alexnet"
	})
}

// modelMesh is the model's groups over a camera, two edge boxes and two servers. Times follow from each group's operations and bytes, at
// 20 GFLOP/s and 10 GB/s for speed 1, not from measurement. What no shape tells counts as nothing, and a value without a known size stays
// with what reads and makes it.
func modelMesh(t testing.TB, file string, objective Objective) *Problem {
	t.Helper()
	g, err := onnx.Load(file)
	if err == nil {
		g, err = split.Specialize(g, nil)
	}
	if err == nil {
		g, err = split.Canonicalize(g)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	p := &Problem{Model: filepath.Base(filepath.Dir(file)), Objective: objective, Nodes: []Node{
		{Name: "camera", Speed: 1. / 50, Memory: 512 << 20, Power: 3, Price: 0},
		{Name: "edge-a", Speed: 1. / 8, Memory: 2 << 30, Power: 15, Price: 1},
		{Name: "edge-b", Speed: 1. / 5, Memory: 4 << 30, Power: 25, Price: 1.5},
		{Name: "cloud-a", Speed: 1, Power: 120, Price: 12},
		{Name: "cloud-b", Speed: 2, Power: 250, Price: 26},
	}}
	for a := range p.Nodes {
		p.Paths = append(p.Paths, make([]Path, len(p.Nodes)))
		for b := range p.Nodes {
			far := max(tier(a), tier(b))
			p.Paths[a][b] = Path{
				RTT: []time.Duration{2, 4, 30}[far] * time.Millisecond, Goodput: []float64{60e6, 8e6, 3e6}[far], Overhead: 2e-4,
				Energy: []float64{0, 2e-8, 3e-7}[far],
			}
		}
	}
	ids := map[split.ValueID]ValueID{}
	value := func(v split.ValueID, producer PieceID) ValueID {
		if id, ok := ids[v]; ok {
			return id
		}
		val := Value{Name: g.Values[v].Name, Producer: producer, Output: slices.Contains(g.Outputs, v)}
		if size := g.Values[v].Bytes(); size >= 0 {
			s := float64(size)
			val.Codings = []Coding{
				{Codec: "raw", Bytes: size, Encode: s * 5e-11, Decode: s * 5e-11},
				{Codec: "float16", Bytes: size / 2, Encode: s * 2e-10, Decode: s * 2e-10, Loss: 3e-4},
				{Codec: "int8", Bytes: size / 4, Encode: s * 4e-10, Decode: s * 2e-10, Loss: 5e-3},
			}
		}
		ids[v] = ValueID(len(p.Values))
		p.Values = append(p.Values, val)
		return ids[v]
	}
	for k := range g.Groups {
		group, i := &g.Groups[k], PieceID(len(p.Pieces))
		cost := g.GroupCost(split.GroupID(k))
		work := max(cost.Read, 0) + max(cost.Written, 0)
		seconds := float64(max(cost.FLOPs, 0))/20e9 + float64(work+max(cost.Weights, 0))/10e9 + 2e-6
		c := Piece{Name: group.Name, Weights: max(cost.Weights, 0), Work: work}
		for _, n := range p.Nodes {
			c.Time = append(c.Time, seconds/n.Speed)
		}
		for _, v := range group.In {
			id := value(v, External)
			c.In = append(c.In, id)
			p.Values[id].Consumers = append(p.Values[id].Consumers, i)
		}
		for _, v := range group.Out {
			c.Out = append(c.Out, value(v, i))
		}
		p.Pieces = append(p.Pieces, c)
	}
	tieUnsized(p)
	return p
}

// tieUnsized puts the pieces around values that cannot travel on the source, one class together.
func tieUnsized(p *Problem) {
	for v := range p.Values {
		val := &p.Values[v]
		if len(val.Codings) > 0 {
			continue
		}
		around := slices.Clone(val.Consumers)
		if val.Producer != External {
			around = append(around, val.Producer)
		}
		for _, i := range around {
			p.Pieces[i].Class, p.Pieces[i].Pin = 1, []NodeID{p.Source}
		}
	}
}

// twoNodes is the problem on two of its nodes alone.
func twoNodes(p *Problem, a, b NodeID) *Problem {
	q, of := *p, []int{int(a), int(b)}
	q.Nodes, q.Pieces, q.Source, q.Sink = chosen(p.Nodes, of), slices.Clone(p.Pieces), 0, 0
	q.Paths = [][]Path{chosen(p.Paths[a], of), chosen(p.Paths[b], of)}
	for i := range q.Pieces {
		q.Pieces[i].Time = chosen(p.Pieces[i].Time, of)
	}
	return &q
}

// The optimum of a model is the same with and without contraction: of two-way cuts exactly, for sums and for seconds without overlap; over
// five nodes by the sweep, where it ends with a proof.
func TestContractionsOfModels(t *testing.T) {
	all, left := 0, 0
	for _, file := range modelFiles(t) {
		for _, objective := range []Objective{Latency, Energy, Price} {
			p := modelMesh(t, file, objective)
			for b := NodeID(1); int(b) < len(p.Nodes); b++ {
				in, err := newInstance(twoNodes(p, 0, b))
				if err != nil {
					t.Fatal(err)
				}
				small := in.same()
				small.contract(context.Background(), in, &Plan{Place: make([]NodeID, in.pieces)})
				if _, err := prepare(small.in); err != nil {
					t.Fatal(err)
				}
				_, want := in.cutBetween(0, 1, true)
				_, got := small.in.cutBetween(0, 1, true)
				if !near(got, want) {
					t.Errorf("%s, %s, with %s: the cut's sum is %v, %v once contracted", p.Model, objective, p.Nodes[b].Name, want, got)
				}
				all, left = all+in.pieces, left+small.in.pieces
			}
			for _, loss := range []float64{0, 0.02} {
				if objective != Latency {
					sameSweep(t, p, loss)
				}
			}
		}
	}
	t.Logf("two-way: %d of %d pieces left", left, all)
}

// sameSweep holds the sweep, with all reductions, to passes that reduce nothing, under a budget of accuracy.
func sameSweep(t *testing.T, p *Problem, loss float64) {
	t.Helper()
	p.Limits.Loss = loss
	in, err := newInstance(p)
	if err != nil {
		t.Fatal(err)
	}
	s := newSweep(context.Background(), in)
	s.best, _ = in.incumbent()
	exact := false
	for width := narrow; !exact && width <= narrow*widen*widen; width *= widen {
		_, exact = s.pass(width, 0)
	}
	plan, err := in.sweep(context.Background(), narrow*widen*widen)
	if err != nil {
		t.Fatal(err)
	}
	want, got := s.best.Objective, plan.Objective
	if exact && plan.Proof.Optimal && !near(got, want) || exact && got < want*(1-oracleSlack) || plan.Proof.Optimal && got > want*(1+oracleSlack) {
		t.Errorf("%s, %s, loss %v: %v without reductions (exact: %v), %v with them (optimal: %v)", p.Model, p.Objective, loss, want, exact, got, plan.Proof.Optimal)
	}
}

// Energy of each model over five nodes, at most ten seconds, free and under a budget of accuracy: the time, the gap, and how many pieces the
// reductions leave.
func BenchmarkModelsEnergy(b *testing.B) {
	for _, file := range modelFiles(b)[1:] {
		for _, loss := range []float64{0, 0.02} {
			p := modelMesh(b, file, Energy)
			p.Limits.Loss = loss
			b.Run(fmt.Sprintf("%s/loss=%v", p.Model, loss), func(b *testing.B) {
				var plan *Plan
				for b.Loop() {
					ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
					var err error
					plan, err = auto{}.Plan(ctx, p)
					cancel()
					if err != nil {
						b.Fatal(err)
					}
				}
				in, err := newInstance(p)
				if err != nil {
					b.Fatal(err)
				}
				s := newSweep(context.Background(), in)
				s.explored = 1 // as after a first pass
				left := len(p.Pieces)
				if r := s.reduce(plan); r != nil {
					left = r.in.pieces
				}
				b.ReportMetric(100*plan.Proof.Gap, "gap-%")
				b.ReportMetric(float64(len(p.Pieces)), "pieces")
				b.ReportMetric(float64(left), "left")
			})
		}
	}
}
