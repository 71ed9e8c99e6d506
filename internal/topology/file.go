package topology

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Limits of a topology file.
const (
	// MaxFile is the most bytes of a file that are read.
	MaxFile = 4 << 20
	// MaxRequests is the most requests that a workload may have.
	MaxRequests = 10_000_000
	// maxEntries is the most entries of one list.
	maxEntries = 10_000
)

// Load reads and checks the topology file at path. Errors name the file, the line, the field and what to write instead.
func Load(path string) (*Topology, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open topology: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read topology %s: %w", path, err)
	}
	t, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t.Dir = filepath.Dir(path)
	if t.Name == "" {
		t.Name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	for i := range t.Links {
		l := &t.Links[i]
		if l.Trace == "" {
			continue
		}
		name := l.Trace
		if !filepath.IsAbs(name) {
			name = filepath.Join(t.Dir, name)
		}
		if l.Rates, err = LoadTrace(name, l.TraceScale); err != nil {
			return nil, fmt.Errorf("%s: links[%d].trace: %w", path, i, err)
		}
	}
	return t, nil
}

// Parse reads and checks a topology. Its errors are *Error: the first thing wrong.
func Parse(data []byte) (*Topology, error) {
	if len(data) > MaxFile {
		return nil, &Error{Problem: fmt.Sprintf("longer than %d bytes: split the scenario", MaxFile)}
	}
	root, err := parseTree(data)
	if err != nil {
		return nil, err
	}
	if root == nil {
		return nil, &Error{Problem: "empty: write nodes, links and workload"}
	}
	r := &reader{lines: map[string]int{}}
	t := &Topology{Workload: Workload{
		Arrivals: Arrivals{Pattern: Sequential}, Deadline: DefaultDeadline, Requests: 1, Objective: "latency",
	}}
	r.object(root, "", map[string]field{
		"name":     r.text(&t.Name),
		"nodes":    func(n ast.Node, path string) { r.list(n, path, r.node(t)) },
		"links":    func(n ast.Node, path string) { r.list(n, path, r.link(t)) },
		"workload": r.workload(t),
		"events":   func(n ast.Node, path string) { r.list(n, path, r.event(t)) },
	})
	if r.err == nil {
		r.check(t)
	}
	if r.err != nil {
		return nil, r.err
	}
	sort.SliceStable(t.Events, func(i, j int) bool { return t.Events[i].Time < t.Events[j].Time })
	return t, nil
}

func (r *reader) node(t *Topology) field {
	return func(n ast.Node, path string) {
		node := Node{Speed: 1}
		r.object(n, path, map[string]field{
			"name":    r.text(&node.Name),
			"tier":    r.text(&node.Tier),
			"speed":   quantity(r, &node.Speed, parseFactor),
			"profile": r.text(&node.Profile),
			"memory":  quantity(r, &node.Memory, ParseBytes),
			"power":   quantity(r, &node.Power, ParseWatts),
			"absent":  r.flag(&node.Absent),
			"backends": func(n ast.Node, path string) {
				r.list(n, path, func(n ast.Node, path string) {
					node.Backends = append(node.Backends, "")
					r.text(&node.Backends[len(node.Backends)-1])(n, path)
				})
			},
		})
		t.Nodes = append(t.Nodes, node)
	}
}

func (r *reader) link(t *Topology) field {
	return func(n ast.Node, path string) {
		l := Link{TraceScale: 1}
		r.object(n, path, map[string]field{
			"name":        r.text(&l.Name),
			"from":        r.text(&l.From),
			"to":          r.text(&l.To),
			"oneway":      r.flag(&l.OneWay),
			"bandwidth":   quantity(r, &l.Bandwidth, ParseRate),
			"rtt":         quantity(r, &l.RTT, ParseDuration),
			"jitter":      quantity(r, &l.Jitter, ParseDuration),
			"loss":        quantity(r, &l.Loss, parseFraction),
			"queue":       quantity(r, &l.Queue, ParseBytes),
			"trace":       r.text(&l.Trace),
			"trace_scale": quantity(r, &l.TraceScale, parseFactor),
		})
		if l.Name == "" {
			l.Name = l.From + "-" + l.To
		}
		t.Links = append(t.Links, l)
	}
}

func (r *reader) workload(t *Topology) field {
	w := &t.Workload
	return func(n ast.Node, path string) {
		r.object(n, path, map[string]field{
			"model":     r.text(&w.Model),
			"profile":   r.text(&w.Profile),
			"source":    r.text(&w.Source),
			"arrivals":  quantity(r, &w.Arrivals, parseArrivals),
			"deadline":  quantity(r, &w.Deadline, ParseDuration),
			"requests":  quantity(r, &w.Requests, parseCount),
			"objective": quantity(r, &w.Objective, oneOf("latency", "throughput", "energy", "price")),
			"rule": quantity(r, &w.Rule, func(s string) (Rule, error) {
				word, err := oneOf(string(InputStays), "none")(s)
				if word == "none" {
					word = ""
				}
				return Rule(word), err
			}),
		})
	}
}

func (r *reader) event(t *Topology) field {
	return func(n ast.Node, path string) {
		var e Event
		given := 0
		happens := func(kind EventKind) field {
			return func(n ast.Node, path string) {
				given++
				e.Kind = kind
				r.text(&e.Node)(n, path)
			}
		}
		r.object(n, path, map[string]field{
			"time":       quantity(r, &e.Time, ParseDuration),
			string(Kill): happens(Kill),
			string(Stop): happens(Stop),
			string(Cont): happens(Cont),
			string(Join): happens(Join),
			string(Degrade): func(n ast.Node, path string) {
				given++
				e.Kind = Degrade
				r.object(n, path, map[string]field{
					"link":      r.text(&e.Link),
					"bandwidth": optional(r, &e.Bandwidth, ParseRate),
					"rtt":       optional(r, &e.RTT, ParseDuration),
					"loss":      optional(r, &e.Loss, parseFraction),
				})
			},
		})
		if given != 1 {
			r.fail(path, lineOf(n), "an event is one of kill, stop, cont, join, degrade: write exactly one beside time")
		}
		t.Events = append(t.Events, e)
	}
}

// parseCount reads a number of requests.
func parseCount(s string) (int, error) {
	v, err := strconv.Atoi(strings.ReplaceAll(s, "_", ""))
	if err != nil || v < 1 || v > MaxRequests {
		return 0, fmt.Errorf("%q is not a count: write a whole number from 1 to %d", s, MaxRequests)
	}
	return v, nil
}

// oneOf accepts the listed words alone.
func oneOf(words ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		for _, w := range words {
			if s == w {
				return s, nil
			}
		}
		return "", fmt.Errorf("%q is not known: write one of %s", s, strings.Join(words, ", "))
	}
}

// MaxTime is the latest event.
const MaxTime = 30 * 24 * time.Hour
