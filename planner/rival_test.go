package planner

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// chainOf is a chain of pieces on nodes with the given times and value sizes (input first), raw, source and sink on node 0.
func chainOf(times [][]float64, bytes []int64, path Path) *Problem {
	p := &Problem{Model: "chain", Objective: Latency}
	for n := range times[0] {
		p.Nodes = append(p.Nodes, Node{Name: fmt.Sprintf("n%d", n)})
		p.Paths = append(p.Paths, make([]Path, len(times[0])))
		for b := range times[0] {
			p.Paths[n][b] = path
		}
	}
	for i, b := range bytes {
		v := Value{Name: fmt.Sprintf("v%d", i), Producer: PieceID(i - 1), Codings: []Coding{{Codec: "raw", Bytes: b}}, Output: i == len(times)}
		if i < len(times) {
			v.Consumers = []PieceID{PieceID(i)}
			p.Pieces = append(p.Pieces, Piece{Name: fmt.Sprintf("p%d", i), Time: times[i], In: []ValueID{ValueID(i)}, Out: []ValueID{ValueID(i + 1)}})
		}
		p.Values = append(p.Values, v)
	}
	return p
}

func drawChain(r *rand.Rand, pieces, nodes int) *Problem {
	times, bytes := make([][]float64, pieces), make([]int64, pieces+1)
	for i := range times {
		for range nodes {
			times[i] = append(times[i], float64(1+r.IntN(20)))
		}
	}
	for i := range bytes {
		bytes[i] = int64(r.IntN(40))
	}
	return chainOf(times, bytes, Path{Goodput: float64(1 + r.IntN(5)), RTT: time.Duration(r.IntN(4)) * time.Second})
}

func planOf(t *testing.T, name string, p *Problem) *Plan {
	t.Helper()
	q, err := Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := q.Plan(context.Background(), p)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return plan
}

// Neurosurgeon finds the best of all cuts of a chain, and its cut moves towards the device as bandwidth falls (Kang et al., section 5).
func TestNeurosurgeonFindsTheBestCutOfAChain(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := drawChain(r, 1+r.IntN(8), 2)
		best := inf
		for cut := range len(p.Pieces) + 1 {
			plan, err := Evaluate(p, prefix(len(p.Pieces), cut, 0, 1), nil)
			if err != nil {
				t.Fatal(err)
			}
			best = min(best, plan.Objective)
		}
		if got := planOf(t, "neurosurgeon", p); !near(got.Objective, best) {
			t.Fatalf("seed %d: best cut %v, neurosurgeon %v", seed, best, got.Objective)
		}
	}
}

// DADS charges a value once however many readers it has, but lets a result come back to the device for nothing: on a chain whose
// middle is cheaper in the cloud it places device, cloud, device.
func TestDADSComesBackForFree(t *testing.T) {
	p := chainOf([][]float64{{1, 50}, {90, 1}, {1, 50}}, []int64{5, 5, 5, 0}, Path{Goodput: 1})
	if got := planOf(t, "dads-light", p); !slices.Equal(got.Place, []NodeID{0, 1, 0}) {
		t.Errorf("placed %v", got.Place)
	}
	if got := planOf(t, "mincut", p); got.Place[2] == 0 && got.Place[1] == 1 {
		t.Errorf("the one-way cut came back: %v", got.Place)
	}
}

// A linear cut and DADS's nearly tie on series-parallel networks when every crossing value is charged: QDMP's lemma.
func TestLinearCutAndDADSNearlyTieOnSeriesParallel(t *testing.T) {
	p := meshOf(rand.New(rand.NewPCG(3, 3)), 12, 2, 3, 0)
	p.Nodes, p.Paths = p.Nodes[:2], [][]Path{p.Paths[0][:2], p.Paths[1][:2]}
	for i := range p.Pieces {
		p.Pieces[i].Time = p.Pieces[i].Time[:2]
	}
	linear, dads := planOf(t, "neurosurgeon", p).Objective, planOf(t, "dads-light", p).Objective
	if d := linear/dads - 1; d > 0.05 || d < -0.05 {
		t.Errorf("linear cut %v s, DADS %v s", linear, dads)
	}
}

// DADS under heavy load is within three times the least bottleneck of all two-way cuts (Hu et al., theorem 2).
func TestDADSHeavyIsWithinThreeTimesTheBest(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		p := drawChain(r, 1+r.IntN(7), 2)
		in, err := newInstance(p)
		if err != nil {
			t.Fatal(err)
		}
		best := inf
		place := make([]NodeID, in.pieces)
		for mask := range 1 << in.pieces {
			for i := range place {
				place[i] = NodeID(mask >> i & 1)
			}
			best = min(best, in.bottleneck(place))
		}
		if got := in.bottleneck(dadsHeavy(in)); got > 3*best*(1+oracleSlack) {
			t.Fatalf("seed %d: bottleneck %v, best %v", seed, got, best)
		}
	}
}

// QDMP's cut inside blocks is the minimum cut of the whole (Zhang et al., lemma on cut vertices).
func TestQDMPLosesNothing(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 3))
		s := drawShape(r)
		s.nodes, s.pieces, s.classes, s.memory, s.limits, s.loss, s.locality, s.objective = 2, 1+r.IntN(14), false, false, false, false, false, Latency
		p := drawProblem(r, s)
		p.Sink = p.Source
		for v := range p.Values {
			p.Values[v].At = nil
		}
		in, err := newInstance(p)
		if err != nil {
			continue
		}
		_, whole := in.cutBetween(p.Source, cloudOnly(in), false)
		if _, blocks := in.qdmpCut(); !near(whole, blocks) && !(whole == inf && blocks == inf) {
			t.Fatalf("seed %d: whole %v, blocks %v", seed, whole, blocks)
		}
	}
}

func TestEvenAndMemoryShares(t *testing.T) {
	p := drawChain(rand.New(rand.NewPCG(1, 1)), 12, 3)
	p.Nodes[0].Memory, p.Nodes[1].Memory, p.Nodes[2].Memory = 1, 2, 3
	if got := planOf(t, "even", p).Place; !slices.Equal(got, []NodeID{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2}) {
		t.Errorf("even: %v", got)
	}
	if got := planOf(t, "memory-proportional", p).Place; !slices.Equal(got, []NodeID{0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2}) {
		t.Errorf("memory-proportional: %v", got)
	}
}

// Greedy list scheduling of independent pieces on m alike nodes ends within 2 - 1/m of the best (Graham 1966).
func TestGreedyKeepsGrahamsBound(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 5))
		p := &Problem{Objective: Latency}
		for n := range 3 {
			p.Nodes = append(p.Nodes, Node{Name: fmt.Sprint(n)})
			p.Paths = append(p.Paths, make([]Path, 3))
			for b := range 3 {
				p.Paths[n][b] = Path{Goodput: 1}
			}
		}
		sum, most := 0.0, 0.0
		for i := range 9 {
			t := float64(1 + r.IntN(9))
			sum, most = sum+t, max(most, t)
			p.Pieces = append(p.Pieces, Piece{Name: fmt.Sprint(i), Time: []float64{t, t, t}})
		}
		if got := planOf(t, "greedy", p).Objective; got > (2-1.0/3)*max(sum/3, most)+1e-9 {
			t.Fatalf("seed %d: %v, at least %v is needed", seed, got, max(sum/3, most))
		}
	}
}

// The example of the HEFT paper (figure 2, table 1): ten tasks on three processors, schedule length 80.
func TestHEFTReproducesItsExample(t *testing.T) {
	times := [][]float64{{14, 16, 9}, {13, 19, 18}, {11, 13, 19}, {13, 8, 17}, {12, 13, 10}, {13, 16, 9}, {7, 15, 11}, {5, 11, 14}, {18, 12, 20}, {21, 7, 16}}
	edges := [][3]int{{1, 2, 18}, {1, 3, 12}, {1, 4, 9}, {1, 5, 11}, {1, 6, 14}, {2, 8, 19}, {2, 9, 16}, {3, 7, 23}, {4, 8, 27}, {4, 9, 23}, {5, 9, 13}, {6, 8, 15}, {7, 10, 17}, {8, 10, 11}, {9, 10, 13}}
	p := &Problem{Objective: Latency}
	for n := range 3 {
		p.Nodes = append(p.Nodes, Node{Name: fmt.Sprint("P", n+1)})
		p.Paths = append(p.Paths, make([]Path, 3))
		for b := range 3 {
			p.Paths[n][b] = Path{Goodput: 1}
		}
	}
	for i, t := range times {
		p.Pieces = append(p.Pieces, Piece{Name: fmt.Sprint("T", i+1), Time: t})
	}
	for k, e := range edges {
		v := ValueID(k)
		p.Values = append(p.Values, Value{Name: fmt.Sprint(e), Producer: PieceID(e[0] - 1), Consumers: []PieceID{PieceID(e[1] - 1)}, Codings: []Coding{{Codec: "raw", Bytes: int64(e[2])}}})
		p.Pieces[e[0]-1].Out = append(p.Pieces[e[0]-1].Out, v)
		p.Pieces[e[1]-1].In = append(p.Pieces[e[1]-1].In, v)
	}
	plan := planOf(t, "heft", p)
	if want := []NodeID{2, 0, 2, 1, 2, 1, 2, 0, 1, 1}; !slices.Equal(plan.Place, want) {
		t.Errorf("placed %v, the paper %v", plan.Place, want)
	}
	in, err := newInstance(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, length := in.earliestFinish(in.upwardRank()); length != 80 {
		t.Errorf("schedule length %v, the paper 80", length)
	}
	// Under this cost model, with links that carry one value at a time, the optimum is at least as good as HEFT's placement.
	if best := planOf(t, "auto", p); best.Objective > plan.Objective || !best.Proof.Optimal {
		t.Errorf("auto takes %v (optimal %v), heft %v", best.Objective, best.Proof.Optimal, plan.Objective)
	}
}

// EdgeShard is exact for a chain whose first layer stays on the source (arXiv:2405.14371, algorithm 1).
func TestEdgeShardIsExactOnChains(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 6))
		p := drawChain(r, 1+r.IntN(5), 3)
		got := planOf(t, "edgeshard", p)
		p.Pieces[0].Pin = []NodeID{p.Source}
		in, err := newInstance(p)
		if err != nil {
			t.Fatal(err)
		}
		if want, _ := bruteForce(in); !near(got.Objective, want) || got.Place[0] != p.Source {
			t.Fatalf("seed %d: brute force %v, edgeshard %v", seed, want, got.Objective)
		}
	}
}

// PipeEdge finds the least bottleneck over contiguous stages, a node used at most once (arXiv:2110.14895, section IV).
func TestPipeEdgeIsExactOnChains(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 7))
		p := drawChain(r, 1+r.IntN(6), 3)
		p.Objective = Throughput
		in, err := newInstance(p)
		if err != nil {
			t.Fatal(err)
		}
		best := inf
		place := make([]NodeID, in.pieces)
		var rec func(int)
		rec = func(i int) {
			if i == in.pieces {
				if plan, err := in.evaluate(place, nil); err == nil {
					best = min(best, plan.Objective)
				}
				return
			}
			for n := range 3 {
				if i > 0 && place[i-1] != NodeID(n) && slices.Contains(place[:i], NodeID(n)) {
					continue
				}
				place[i] = NodeID(n)
				rec(i + 1)
			}
		}
		rec(0)
		if got := planOf(t, "pipeedge", p); !near(got.Objective, best) {
			t.Fatalf("seed %d: best pipeline %v, pipeedge %v", seed, best, got.Objective)
		}
	}
}
