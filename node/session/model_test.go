package session

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/planner"
)

var (
	seeds = flag.Uint64("session.seeds", 1500, "how many random requests the model check runs")
	seed  = flag.Uint64("session.seed", 0, "run this random request alone, with its log")
)

// TestModel runs random plans of random models through random deaths, freezes, losses, doubles and delays, and holds
// every request to what session promises: one ending, by the deadline; an answer that equals the unsplit one; no stage
// computed with a value of another epoch; no value left in any store; and, when nodes only die, an answer at all.
func TestModel(t *testing.T) {
	if *seed != 0 {
		w := trial(t, *seed)
		t.Log("\n" + w.printed())
		return
	}
	n := *seeds
	if testing.Short() {
		n /= 10
	}
	delivered, exited, failed := 0, 0, map[Cause]int{}
	for s := uint64(1); s <= n && !t.Failed(); s++ {
		w := trial(t, s)
		if w.failed != nil {
			failed[w.failed.Cause]++
		} else {
			delivered++
			if len(w.delivered) > 0 && w.problem.Values[w.delivered[0].Value].Exit > 0 {
				exited++
			}
		}
		if t.Failed() {
			t.Logf("seed %d (repeat it with -session.seed=%d)\n%s", s, s, w.printed())
		}
	}
	t.Logf("%d delivered, %d of them at an early exit, %v failed", delivered, exited, failed)
}

// trial runs one random request to its end.
func trial(t *testing.T, seed uint64) *world {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := randomProblem(rng)
	w := &world{
		t: t, problem: p, rng: rng, delay: time.Duration(1+rng.IntN(30)) * time.Millisecond,
		replan: time.Duration(rng.IntN(50)) * time.Millisecond, detect: time.Duration(rng.IntN(200)) * time.Millisecond,
		deadline: time.Minute, sure: map[planner.ValueID]bool{},
	}
	for v := range p.Values {
		w.sure[planner.ValueID(v)] = rng.IntN(2) == 0
	}
	w.choose = func(p *planner.Problem) *planner.Plan { return randomPlan(rng, p, w.delay) }
	clean := rng.IntN(2) == 0 // nodes die and come back, messages are late, and that is all
	if !clean {
		w.lose, w.double = rng.Float64()*0.2, rng.Float64()*0.2
		if rng.IntN(2) == 0 {
			w.deadline = time.Duration(1+rng.IntN(3000)) * time.Millisecond
		}
	}
	w.start(randomPlan(rng, p, w.delay), Patience{})
	for n := planner.NodeID(1); int(n) < len(p.Nodes); n++ {
		at := func() time.Duration { return time.Duration(rng.IntN(1500)) * time.Millisecond }
		switch k := rng.IntN(6); {
		case k == 0 && !clean:
			from := at()
			w.after(from, func() { w.freeze(n) })
			w.after(from+at(), func() { w.thaw(n) })
		case k <= 1:
			w.after(at(), func() { w.kill(n) })
		case k == 2:
			from := at()
			w.after(from, func() { w.kill(n) })
			w.after(from+w.detect+at(), func() { w.restart(n) })
		}
	}
	w.run(math.MaxInt64)

	if w.endings != 1 {
		t.Errorf("the request ended %d times", w.endings)
	}
	if w.failed != nil && (clean || w.failed.Detail == "") {
		t.Errorf("failed: %v", w.failed.Error())
	}
	for n, m := range w.nodes {
		if !m.dead && len(m.store) > 0 {
			t.Errorf("%s still keeps %v", w.name(planner.NodeID(n)), m.store)
		}
	}
	return w
}

// randomProblem is a graph of a few pieces, where each reads some of the latest values, over a few nodes. The entry can
// run everything; another node cannot run some pieces.
func randomProblem(rng *rand.Rand) *planner.Problem {
	p := &planner.Problem{Model: "random"}
	for i := range 2 + rng.IntN(4) {
		p.Nodes = append(p.Nodes, planner.Node{Name: fmt.Sprintf("n%d", i)})
	}
	p.Paths = make([][]planner.Path, len(p.Nodes))
	for i := range p.Paths {
		p.Paths[i] = make([]planner.Path, len(p.Nodes))
		for j := range p.Paths[i] {
			p.Paths[i][j].Goodput = 1e6
		}
	}
	value := func(producer planner.PieceID) planner.ValueID {
		id := planner.ValueID(len(p.Values))
		p.Values = append(p.Values, planner.Value{
			Name: fmt.Sprintf("v%d", id), Producer: producer, Codings: []planner.Coding{{}},
		})
		return id
	}
	for range 1 + rng.IntN(2) {
		value(planner.External)
	}
	for id := range planner.PieceID(1 + rng.IntN(8)) {
		piece := planner.Piece{Name: fmt.Sprintf("p%d", id)}
		for v := len(p.Values) - 1; v >= 0; v-- {
			if len(piece.In) == 0 || rng.IntN(4) == 0 {
				piece.In = append(piece.In, planner.ValueID(v))
				p.Values[v].Consumers = append(p.Values[v].Consumers, id)
			}
		}
		for range 1 + rng.IntN(2) {
			piece.Out = append(piece.Out, value(id))
		}
		for n := range p.Nodes {
			seconds := rng.ExpFloat64() * 0.1
			if n != 0 && rng.IntN(5) == 0 {
				seconds = math.Inf(1)
			}
			piece.Time = append(piece.Time, seconds)
		}
		p.Pieces = append(p.Pieces, piece)
	}
	for v := range p.Values {
		if p.Values[v].Producer != planner.External && (len(p.Values[v].Consumers) == 0 || rng.IntN(8) == 0) {
			p.Values[v].Output = true
		}
	}
	drawExit(rng, p)
	return p
}

// drawExit makes an early exit of a random value of some problems: what leads to it comes first, at level 0.
func drawExit(rng *rand.Rand, p *planner.Problem) {
	last := len(p.Values) - 1 // stays the end
	v := rng.IntN(len(p.Values))
	if rng.IntN(2) == 0 || v == last || p.Values[v].Producer == planner.External {
		return
	}
	p.Values[v].Output, p.Values[v].Exit = true, 0.5
	for id := range p.Pieces {
		if planner.PieceID(id) > p.Values[v].Producer {
			p.Pieces[id].Level = 1
		}
	}
}

// randomPlan puts every piece on a random node that can run it, often where the piece before is; nil when none can.
func randomPlan(rng *rand.Rand, p *planner.Problem, delay time.Duration) *planner.Plan {
	place := make([]planner.NodeID, len(p.Pieces))
	for id, piece := range p.Pieces {
		var able []planner.NodeID
		for n, seconds := range piece.Time {
			if !math.IsInf(seconds, 1) {
				able = append(able, planner.NodeID(n))
			}
		}
		if len(able) == 0 {
			return nil
		}
		place[id] = able[rng.IntN(len(able))]
		if id > 0 && rng.IntN(2) == 0 && !math.IsInf(piece.Time[place[id-1]], 1) {
			place[id] = place[id-1]
		}
	}
	return planOf(p, place, delay)
}
