package planner

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/cleave-mesh/cleave/planner/oracletest"
)

// reductions are all there are, each alone and all together. What they return is nil where they take nothing away.
var reductions = map[string]func(*sweep, *Plan) *reduction{
	"places": (*sweep).forbid,
	"nodes": func(s *sweep, known *Plan) *reduction {
		r := s.forbid(known)
		if r != nil {
			r.dropNodes()
		}
		return r
	},
	"fixed neighbours": func(s *sweep, known *Plan) *reduction {
		r := s.forbid(known)
		if r != nil {
			r.mergeFixed()
		}
		return r
	},
	"contraction": func(s *sweep, known *Plan) *reduction { return contracted(s.in, known) },
	"together": func(s *sweep, known *Plan) *reduction {
		s.explored = 1 // as after a first pass
		return s.reduce(known)
	},
}

// Each reduction, and all together, keep the optimum: brute force over the whole problem against brute force over the reduced one.
func TestReductionsAgreeWithBruteForce(t *testing.T) {
	places, nodes, pieces := 0, 0, 0
	for seed := range oracletest.Seeds(t, 300) {
		r := rand.New(rand.NewPCG(seed, 31))
		s := drawShape(r)
		s.pieces = min(s.pieces, 6)
		in, err := newInstance(drawProblem(r, s))
		if err != nil {
			continue
		}
		known, _ := in.incumbent()
		if known == nil {
			continue
		}
		want, _ := bruteForce(in)
		for name, reduce := range reductions {
			small := reduce(newSweep(context.Background(), in), known)
			if small == nil {
				continue
			}
			if _, err := prepare(small.in); err != nil {
				t.Fatalf("seed %d, %s: %v", seed, name, err)
			}
			got, ok := bruteForce(small.in)
			if !ok || !near(got, want) {
				t.Fatalf("seed %d, %s (%s): the optimum is %v, %v (%v) once reduced", seed, name, in.p.Objective, want, got, ok)
			}
			if _, err := small.shrink(known); err != nil {
				t.Fatalf("seed %d, %s: the known plan is gone: %v", seed, name, err)
			}
			for k := range small.in.run {
				places += b2i(small.in.run[k] == inf)
			}
			nodes, pieces = nodes+in.nodes-small.in.nodes, pieces+in.pieces-small.in.pieces
		}
	}
	if nodes == 0 || pieces == 0 {
		t.Errorf("nothing was reduced: %d nodes, %d pieces", nodes, pieces)
	}
	t.Logf("%d places not open, %d nodes and %d pieces fewer", places, nodes, pieces)
}

// A reduced sweep finds the same optimum, as a plan of the whole problem.
func TestReducedSweepIsWhole(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 32))
		p := drawProblem(r, drawShape(r))
		in, err := newInstance(p)
		if err != nil {
			continue
		}
		s := newSweep(context.Background(), in)
		if s.best, _ = in.incumbent(); s.best == nil {
			continue
		}
		free := newSweep(context.Background(), in)
		free.best = s.best
		free.pass(1<<20, 0)
		s.explored = 1 // as after a first pass
		s = s.reduced()
		s.pass(1<<20, 0)
		plan := s.whole()
		if again, err := in.evaluate(plan.Place, plan.Codings()); err != nil || !near(again.Objective, free.best.Objective) || !near(plan.Objective, free.best.Objective) {
			t.Fatalf("seed %d: %v without reductions, %v with them (%v)", seed, free.best.Objective, plan.Objective, err)
		}
	}
}

// Cut vertices: times that nothing can make use of are raised, so that the labels of a node become one there. The optimum is the same with
// and without, and there are fewer labels.
func TestCutVerticesLoseNothing(t *testing.T) {
	for seed := range oracletest.Seeds(t, 300) {
		r := rand.New(rand.NewPCG(seed, 34))
		s := drawShape(r)
		s.objective = Latency
		in, err := newInstance(drawProblem(r, s))
		if err != nil {
			continue
		}
		var best [2]*Plan
		for k, late := range []bool{false, true} {
			s := newSweep(context.Background(), in)
			s.late = late
			s.best, _ = in.incumbent()
			s.pass(1<<20, 0)
			best[k] = s.best
		}
		if (best[0] == nil) != (best[1] == nil) || best[0] != nil && !near(best[0].Objective, best[1].Objective) {
			t.Fatalf("seed %d: %v with times raised, %v without", seed, best[0], best[1])
		}
	}
	in, err := newInstance(meshOf(rand.New(rand.NewPCG(4, 4)), 12, 3, 2, 0))
	if err != nil {
		t.Fatal(err)
	}
	var steps [2]int
	for k, late := range []bool{false, true} {
		s := newSweep(context.Background(), in)
		s.late = late
		s.best, _ = in.incumbent()
		s.pass(256, 0)
		steps[k] = s.explored
	}
	t.Logf("%d steps with times raised, %d without", steps[0], steps[1])
	if steps[0]*5 > steps[1]*4 {
		t.Error("raising times saves too little")
	}
}

// A camera whose pictures are dear to send: the servers far away are of no use, and the first pieces can only be on the camera.
func TestReductionsOfAMesh(t *testing.T) {
	p := meshOf(rand.New(rand.NewPCG(3, 3)), 40, 2, 3, 3)
	for a := range p.Paths {
		for b := range p.Paths {
			if a >= 3 || b >= 3 {
				p.Paths[a][b].RTT *= 400
			}
		}
	}
	in, err := newInstance(p)
	if err != nil {
		t.Fatal(err)
	}
	s := newSweep(context.Background(), in)
	s.best, _ = in.incumbent()
	s.pass(narrow, 0)
	small := s.reduced()
	if small == s {
		t.Fatal("nothing was reduced")
	}
	open := func(in *instance) (n int) {
		for _, t := range in.run {
			n += b2i(t < inf)
		}
		return n
	}
	t.Logf("%d pieces on %d nodes, %d places: %d pieces on %d nodes, %d places once reduced",
		in.pieces, in.nodes, open(in), small.in.pieces, small.in.nodes, open(small.in))
	if small.in.nodes >= in.nodes || open(small.in) > open(in)*3/5 {
		t.Error("too little was reduced")
	}
}

// Passes with a tolerance: the bound is none above the optimum, and within the tolerance of the plan found where no label was dropped.
func TestToleranceBracketsBruteForce(t *testing.T) {
	indebted := 0
	for seed := range oracletest.Seeds(t, 300) {
		r := rand.New(rand.NewPCG(seed, 33))
		in, err := newInstance(drawProblem(r, drawShape(r)))
		var no *InfeasibleError
		if errors.As(err, &no) {
			continue
		}
		want, ok := bruteForce(in)
		if !ok {
			continue
		}
		s := newSweep(context.Background(), in)
		s.best, _ = in.incumbent()
		width, tolerance := 1+r.IntN(40), []float64{0.02, 0.1, 0.4, 1}[r.IntN(4)]
		spare := inf
		if s.best != nil {
			spare = tolerance * s.best.Objective
		}
		bound, complete := s.pass(width, tolerance)
		if bound > want*(1+oracleSlack) {
			t.Fatalf("seed %d, width %d, tolerance %v (%s): bound %v, the optimum is %v", seed, width, tolerance, in.p.Objective, bound, want)
		}
		if complete && s.best != nil && bound < s.best.Objective-spare-oracleSlack*max(1, s.best.Objective) {
			t.Fatalf("seed %d, width %d, tolerance %v (%s): bound %v of a complete pass, the plan takes %v", seed, width, tolerance, in.p.Objective, bound, s.best.Objective)
		}
		indebted += b2i(complete && bound < want*(1-oracleSlack))
	}
	t.Logf("%d complete passes bound less than the optimum", indebted)
}
