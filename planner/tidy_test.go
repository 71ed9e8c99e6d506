package planner

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/planner/oracletest"
)

// A tidied plan is as good as what it was made from in all that counts, keeps every limit, and is the same each time. Of what random plans do,
// no more is left than was when this was written.
func TestTidiedIsNeverWorse(t *testing.T) {
	var stages, transfers [2]int // before and after
	for seed := range oracletest.Seeds(t, 4000) {
		r := rand.New(rand.NewPCG(seed, 41))
		s := drawShape(r)
		s.pieces, s.codings = 4+r.IntN(16), 1+r.IntN(3)
		p := drawExits(r, drawProblem(r, s))
		in, err := newInstance(p)
		if err != nil {
			continue
		}
		plan := drawPlan(r, in)
		if plan == nil {
			continue
		}
		before := *plan
		now := in.tidied(plan)
		if problem := worse(in, &before, now); problem != "" {
			t.Fatalf("seed %d (%s): %s\nbefore %+v\nnow    %+v", seed, p.Objective, problem, before, *now)
		}
		if !reflect.DeepEqual(before, *plan) {
			t.Fatalf("seed %d: the plan that was given has changed", seed)
		}
		if again := in.tidied(plan); !reflect.DeepEqual(now, again) {
			t.Fatalf("seed %d: tidied twice, the plans differ:\n%+v\n%+v", seed, now, again)
		}
		for k, q := range []*Plan{plan, now} {
			stages[k] += len(q.Stages)
			transfers[k] += len(q.Transfers)
		}
	}
	t.Logf("stages %v, transfers %v before and after", stages, transfers)
	if testing.Short() || os.Getenv(oracletest.CountVariable) != "" {
		return // other problems than those that were counted
	}
	if left := func(n [2]int) float64 { return float64(n[1]) / float64(n[0]) }; left(stages) > 0.64 || left(transfers) > 0.54 {
		t.Errorf("%.3f of the stages and %.3f of the transfers are left", left(stages), left(transfers))
	}
}

// worse says in what a tidied plan is worse than the one that was given, "" where in nothing.
func worse(in *instance, was, now *Plan) string {
	same, err := in.evaluate(now.Place, now.Codings())
	switch {
	case err != nil:
		return "it is not possible: " + err.Error()
	case same.Objective != now.Objective || !reflect.DeepEqual(same.Cost, now.Cost) || !reflect.DeepEqual(same.Stages, now.Stages) || !reflect.DeepEqual(same.Transfers, now.Transfers):
		return "it is not what its places and codings come to"
	case now.Objective > was.Objective*(1+limitSlack):
		return "its objective is larger"
	case now.Cost.Latency > was.Cost.Latency:
		return "it answers later"
	case len(now.Stages) > len(was.Stages):
		return "it has more stages"
	case len(now.Transfers) > len(was.Transfers):
		return "it has more transfers"
	case slices.Equal(now.Place, was.Place) && (now.Cost.Period > was.Cost.Period || now.Cost.Energy > was.Cost.Energy || now.Cost.Price > was.Cost.Price):
		return "its codings alone take more of a stream's time, of energy or of price"
	}
	first, then := Answers(in.p, was), Answers(in.p, now)
	for k := range first {
		if then[k].At > first[k].At {
			return fmt.Sprintf("answer %d is there later", k)
		}
	}
	return ""
}

// drawExits makes an exit of the first output, where there are others.
func drawExits(r *rand.Rand, p *Problem) *Problem {
	var outputs []ValueID
	for v := range p.Values {
		if p.Values[v].Output && p.Values[v].Producer != External {
			outputs = append(outputs, ValueID(v))
		}
	}
	if len(outputs) < 2 || r.IntN(2) == 0 {
		return p
	}
	return WithExits(p, []Exit{{Value: outputs[0], Share: 0.5}}, []int{0})
}

// drawPlan is a plan at random, nil where none was found in some draws: few pieces change the node, and hops have any coding.
func drawPlan(r *rand.Rand, in *instance) *Plan {
	for range 30 {
		place, class := make([]NodeID, in.pieces), map[int]NodeID{}
		n := NodeID(r.IntN(in.nodes))
		for i := range place {
			if r.IntN(3) == 0 {
				n = NodeID(r.IntN(in.nodes))
			}
			place[i] = n
			if c := in.p.Pieces[i].Class; c != 0 {
				if at, ok := class[c]; ok {
					place[i] = at
				}
				class[c] = place[i]
			}
		}
		codings := Codings{}
		for v := range in.p.Values {
			for to := range in.nodes {
				codings[Hop{ValueID(v), NodeID(to)}] = r.IntN(len(in.p.Values[v].Codings))
			}
		}
		if plan, err := in.evaluate(place, codings); err == nil {
			return plan
		}
	}
	return nil
}

// A camera sends a large value to an edge box, which takes a second. Meanwhile a small one goes about: what it passes through has time to
// spare wherever it runs, as it is waited for by none.
func storyProblem() *Problem {
	p := &Problem{Model: "story", Objective: Latency, Nodes: []Node{{Name: "camera"}, {Name: "edge"}, {Name: "shed"}}}
	for range p.Nodes {
		row := make([]Path, len(p.Nodes))
		for b := range row {
			row[b] = Path{RTT: 20 * time.Millisecond, Goodput: 1e6}
		}
		p.Paths = append(p.Paths, row)
	}
	value := func(name string, producer PieceID, bytes int64, consumers ...PieceID) {
		p.Values = append(p.Values, Value{Name: name, Producer: producer, Consumers: consumers, Output: len(consumers) == 0, Codings: []Coding{
			{Codec: "int8", Bytes: bytes / 4, Loss: 0.01}, {Codec: "raw", Bytes: bytes}, {Codec: "float16", Bytes: bytes / 2, Loss: 0.001},
		}})
	}
	piece := func(name string, camera, edge, shed float64, in, out ValueID, more ...ValueID) {
		p.Pieces = append(p.Pieces, Piece{Name: name, Time: []float64{camera, edge, shed}, In: append([]ValueID{in}, more...), Out: []ValueID{out}})
	}
	value("picture", External, 400, 0, 3)
	value("small", 0, 400, 1)
	value("scale", 1, 400, 2)
	value("shift", 2, 400, 4)
	value("large", 3, 4e6, 4)
	value("answer", 4, 400)
	piece("statistics", 0.1, 0.1, 0.1, 0, 1)
	piece("scaling", 0.001, 0.001, 0.001, 1, 2)
	piece("shifting", 0.001, 0.001, 0.001, 2, 3)
	piece("backbone", 0.1, 0.1, 0.1, 0, 4)
	piece("head", 9, 0.1, 9, 3, 5, 4)
	p.Pieces[0].Pin, p.Pieces[3].Pin = []NodeID{0}, []NodeID{0}
	return p
}

// tidyStory tidies the story's plan and writes both.
func tidyStory(t *testing.T, p *Problem, place []NodeID) string {
	t.Helper()
	in, err := newInstance(p)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := in.evaluate(place, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, q := range []*Plan{plan, in.tidied(plan)} {
		fmt.Fprintf(&b, "%v, %d stages:", q.Cost.Latency, len(q.Stages))
		for i, n := range q.Place {
			fmt.Fprintf(&b, " %s@%s", p.Pieces[i].Name, p.Nodes[n].Name)
		}
		for _, m := range q.Transfers {
			fmt.Fprintf(&b, " %s>%s=%s", p.Values[m.Value].Name, p.Nodes[m.To].Name, p.Values[m.Value].Codings[m.Coding].Codec)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestTidyStories(t *testing.T) {
	const given = `
1.3201s, 5 stages: statistics@camera scaling@edge shifting@shed backbone@camera head@edge small>edge=int8 scale>shed=int8 shift>edge=int8 large>edge=int8 answer>camera=int8
`
	const stays = `
1.3201s, 5 stages: statistics@camera scaling@edge shifting@shed backbone@camera head@edge small>edge=int8 scale>shed=raw shift>edge=raw large>edge=int8 answer>camera=int8
`
	for _, c := range []struct {
		name  string
		alter func(*Problem)
		now   string
	}{
		{"a gratuitous move goes; with a raw small value before it, the large one would be late", func(p *Problem) { p.Pieces[1].Pin = []NodeID{1} }, `
1.3201s, 4 stages: statistics@camera scaling@edge shifting@edge backbone@camera head@edge small>edge=int8 large>edge=int8 answer>camera=int8
`},
		{"what must be on the shed draws what comes before it there, over a path of its own, where nobody waits and nothing need be lost", func(p *Problem) {
			p.Pieces[2].Pin = []NodeID{2}
		}, `
1.3201s, 3 stages: statistics@camera scaling@shed shifting@shed backbone@camera head@edge small>shed=raw large>edge=int8 shift>edge=raw answer>camera=int8
`},
		{"a value that must not be on the shed, and what would answer later elsewhere, stay", func(p *Problem) {
			p.Values[1].Stay = []NodeID{0, 1}
			p.Pieces[2].Time = []float64{2, 2, 0.001}
		}, stays},
		{"so they do without memory", func(p *Problem) {
			p.Nodes[1].Memory, p.Pieces[4].Weights, p.Pieces[1].Weights, p.Pieces[2].Weights, p.Nodes[2].Memory = 13, 6, 6, 6, 11
		}, stays},
	} {
		p := storyProblem()
		c.alter(p)
		if got, want := tidyStory(t, p, []NodeID{0, 1, 2, 0, 1}), given[1:]+c.now[1:]; got != want {
			t.Errorf("%s: got\n%swant\n%s", c.name, got, want)
		}
	}
}
