package session

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/cleave-mesh/cleave/planner"
)

// TestStories runs the transcripts in testdata. `request` describes a mesh, a model and a plan; `run` goes on to a time or
// to the end; `kill`, `stop`, `cont`, `back`, `suspect` and `fail` are what happens to a node; `memory` lists what nodes keep.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var w *world
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "request" {
				w = request(t, d)
				w.printed()
				return "ok"
			}
			node := func() planner.NodeID {
				i := slices.IndexFunc(w.problem.Nodes, func(n planner.Node) bool { return n.Name == d.CmdArgs[0].Key })
				if i < 0 {
					d.Fatalf(t, "there is no node %q", d.CmdArgs[0].Key)
				}
				return planner.NodeID(i)
			}
			switch d.Cmd {
			case "run":
				until := time.Duration(math.MaxInt64)
				if d.HasArg("until") {
					until = duration(t, d, "until")
				}
				w.run(until)
			case "kill":
				w.kill(node())
			case "stop":
				w.freeze(node())
			case "cont":
				w.thaw(node())
			case "back":
				w.restart(node())
			case "suspect":
				w.coordinate(PeerSuspect{node()})
			case "cancel":
				w.coordinate(Cancel{"the client hung up"})
			case "fail":
				n := node()
				h := w.nodes[n].host
				for i, s := range h.tasks {
					if s.running {
						w.host(n, ComputeFailed{s.as.epoch, h.a.Tasks[i], "out of memory"})
					}
				}
			case "memory":
				for n, m := range w.nodes {
					keys := make([]Handle, 0, len(m.store))
					for v := range m.store {
						keys = append(keys, v)
					}
					slices.SortFunc(keys, func(a, b Handle) int { return int(a.Value) - int(b.Value) })
					w.printf("%s keeps %s", w.name(planner.NodeID(n)), w.names(keys))
				}
			default:
				d.Fatalf(t, "unknown command %q", d.Cmd)
			}
			return w.printed()
		})
	})
}

// printed takes the log so far.
func (w *world) printed() string {
	s := w.log.String()
	w.log.Reset()
	return s
}

func duration(t *testing.T, d *datadriven.TestData, arg string) time.Duration {
	var text string
	d.ScanArgs(t, arg, &text)
	v, err := time.ParseDuration(text)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	return v
}

// request reads a mesh and a model:
//
//	nodes device edge cloud
//	piece front: x -> u 100ms 20ms 5ms
//	plan device edge cloud
//	exit v 0.5 answers
//
// A piece's times are per node, "-" where the node cannot run it, "100ms*4" where it takes four times what is predicted; the
// last value is the model's output. Pieces up to the one that makes an exit's value are of its level; without "answers" the request goes on.
func request(t *testing.T, d *datadriven.TestData) *world {
	p := &planner.Problem{Model: "story"}
	values := map[string]planner.ValueID{}
	value := func(name string) planner.ValueID {
		if id, ok := values[name]; ok {
			return id
		}
		values[name] = planner.ValueID(len(p.Values))
		p.Values = append(p.Values, planner.Value{Name: name, Producer: planner.External, Codings: []planner.Coding{{}}})
		return values[name]
	}
	var place []planner.NodeID
	busy, sure := map[[2]int]float64{}, map[planner.ValueID]bool{}
	for _, line := range strings.Split(d.Input, "\n") {
		f := strings.Fields(line)
		switch f[0] {
		case "nodes":
			for _, n := range f[1:] {
				p.Nodes = append(p.Nodes, planner.Node{Name: n})
			}
		case "piece":
			piece := planner.Piece{Name: strings.TrimSuffix(f[1], ":")}
			id := planner.PieceID(len(p.Pieces))
			arrow := slices.Index(f, "->")
			for _, n := range f[2:arrow] {
				v := value(n)
				piece.In = append(piece.In, v)
				p.Values[v].Consumers = append(p.Values[v].Consumers, id)
			}
			end := len(f) - len(p.Nodes)
			for _, n := range f[arrow+1 : end] {
				v := value(n)
				piece.Out = append(piece.Out, v)
				p.Values[v].Producer = id
			}
			for n, text := range f[end:] {
				text, slow, _ := strings.Cut(text, "*")
				if slow != "" {
					busy[[2]int{int(id), n}], _ = strconv.ParseFloat(slow, 64)
				}
				took, err := time.ParseDuration(text)
				seconds := took.Seconds()
				if err != nil {
					seconds = math.Inf(1)
				}
				piece.Time = append(piece.Time, seconds)
			}
			p.Pieces = append(p.Pieces, piece)
		case "exit":
			v := value(f[1])
			p.Values[v].Output = true
			p.Values[v].Exit, _ = strconv.ParseFloat(f[2], 64)
			for id := range p.Pieces {
				if planner.PieceID(id) > p.Values[v].Producer {
					p.Pieces[id].Level++
				}
			}
			sure[v] = len(f) > 3
		case "plan":
			for _, n := range f[1:] {
				i := slices.IndexFunc(p.Nodes, func(m planner.Node) bool { return m.Name == n })
				place = append(place, planner.NodeID(i))
			}
		default:
			d.Fatalf(t, "unknown line %q", line)
		}
	}
	p.Values[len(p.Values)-1].Output = true
	p.Paths = make([][]planner.Path, len(p.Nodes))
	for i := range p.Paths {
		p.Paths[i] = make([]planner.Path, len(p.Nodes))
		for j := range p.Paths[i] {
			p.Paths[i][j].Goodput = 1e6
		}
	}
	w := &world{
		t: t, problem: p, busy: busy, sure: sure, choose: quickest, delay: 10 * time.Millisecond, replan: 5 * time.Millisecond,
		detect: 20 * time.Millisecond, deadline: 2 * time.Second,
	}
	if d.HasArg("deadline") {
		w.deadline = duration(t, d, "deadline")
	}
	w.start(planOf(p, place, w.delay), Patience{Factor: 2, Slack: 50 * time.Millisecond})
	return w
}

// quickest puts every piece on the node that is quickest for it.
func quickest(p *planner.Problem) *planner.Plan {
	place := make([]planner.NodeID, len(p.Pieces))
	for id, piece := range p.Pieces {
		best := slices.Index(piece.Time, slices.Min(piece.Time))
		if math.IsInf(piece.Time[best], 1) {
			return nil
		}
		place[id] = planner.NodeID(best)
	}
	return planOf(p, place, 10*time.Millisecond)
}

// TestNames holds the causes to texts that a user can read.
func TestNames(t *testing.T) {
	for _, c := range []Cause{Deadline, NoPlan, Cancelled, BadRequest} {
		if strings.HasPrefix(c.String(), "cause") {
			t.Errorf("cause %d has no text", c)
		}
	}
	if got := fmt.Sprint(Cause(99)); got != "cause 99" {
		t.Errorf("cause 99 is %q", got)
	}
}
