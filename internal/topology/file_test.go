package topology

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLoadDemo(t *testing.T) {
	top, err := Load(filepath.Join("..", "..", "sim", "scenarios", "demo.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(top.Nodes) != 3 || len(top.Links) != 3 || top.Workload.Source != "device" {
		t.Fatalf("read %+v", top)
	}
	if n, _ := top.Node("device"); n.Speed != 0.01 || n.Memory != 512<<20 || n.Power != 3 {
		t.Errorf("device is %+v", n)
	}
	if l, ok := top.Between("cloud", "edge"); !ok || l.Bandwidth != 10e6 || l.RTT != 30*time.Millisecond {
		t.Errorf("cloud to edge is %+v, %v", l, ok)
	}
	if top.Name != "demo" || top.Dir == "" {
		t.Errorf("name %q, dir %q", top.Name, top.Dir)
	}
}

// TestErrors holds every refusal to naming its line, its field and a remedy.
func TestErrors(t *testing.T) {
	const nodes = "nodes: [{name: a}, {name: b}]\n"
	const link = "links: [{from: a, to: b, bandwidth: 1Mbps}]\n"
	tests := []struct{ name, file, want string }{
		{"empty", "", "empty: write nodes, links and workload"},
		{"not yaml", "nodes: [", "not valid YAML"},
		{"two documents", "nodes: [{name: a}]\n---\nnodes: [{name: b}]\n", "a second document"},
		{"no nodes", "name: x\n", "nodes: there are none"},
		{"scalar", "7", "not a set of fields"},
		{"unknown field", nodes + "lnks: []\n", "line 2: lnks: unknown field: the fields here are events, links"},
		{"unknown node field", "nodes:\n  - name: a\n    sped: 1\n", "line 3: nodes[0].sped: unknown field"},
		{"nodes not a list", "nodes: {name: a}\n", "line 1: nodes: not a list"},
		{"no name", "nodes: [{speed: 1}]\n", "nodes[0].name: missing: add the field, such as name: device"},
		{"same name", "nodes: [{name: a}, {name: a}]\n", "nodes[1].name: a second node \"a\""},
		{"speed", "nodes: [{name: a, speed: fast}]\n", "nodes[0].speed: \"fast\" is not a positive factor: write it as 0.05 or 1/20"},
		{"speed 0", "nodes: [{name: a, speed: 0}]\n", "nodes[0].speed: \"0\" is not a positive factor"},
		{"speed by 0", "nodes: [{name: a, speed: 1/0}]\n", "is not a positive factor"},
		{"memory without unit", "nodes: [{name: a, memory: 512}]\n", "nodes[0].memory: \"512\" has no unit: write one of B, KB"},
		{"memory unit", "nodes: [{name: a, memory: 512Mbps}]\n", "unknown unit \"Mbps\""},
		{"too much memory", "nodes: [{name: a, memory: 1e30TiB}]\n", "is more than can be counted"},
		{"null", "nodes: [{name: }]\n", "nodes[0].name: not a value"},
		{"absent", "nodes: [{name: a, absent: maybe}]\n", "neither true nor false"},
		{"no bandwidth", nodes + "links: [{from: a, to: b}]\n", "line 2: links[0].bandwidth: missing"},
		{"negative bandwidth", nodes + "links: [{from: a, to: b, bandwidth: -1Mbps}]\n", "is not a quantity"},
		{"unknown end", nodes + "links: [{from: a, to: c, bandwidth: 1Mbps}]\n", "links[0].to: \"c\" is not in the file: write one of a, b"},
		{"itself", nodes + "links: [{from: a, to: a, bandwidth: 1Mbps}]\n", "the same node at both ends"},
		{"rtt", nodes + "links: [{from: a, to: b, bandwidth: 1Mbps, rtt: 4}]\n", "links[0].rtt: \"4\" is not a time"},
		{"loss", nodes + "links: [{from: a, to: b, bandwidth: 1Mbps, loss: 100%}]\n", "is not a share"},
		{"both ways twice", nodes + "links: [{from: a, to: b, bandwidth: 1Mbps}, {from: b, to: a, bandwidth: 1Mbps}]\n", "links[1]: b to a is linked already"},
		{"trace and bandwidth", nodes + "links: [{from: a, to: b, bandwidth: 1Mbps, trace: t}]\n", "given beside a trace"},
		{"no source", nodes + "workload: {model: m}\n", "workload.source: missing"},
		{"no model", nodes + "workload: {source: a}\n", "workload.model: missing"},
		{"objective", nodes + "workload: {model: m, source: a, objective: fast}\n", "write one of latency, throughput, energy, price"},
		{"rule", nodes + "workload: {model: m, source: a, rule: x}\n", "write one of input-stays, none"},
		{"arrivals", nodes + "workload: {model: m, source: a, arrivals: often}\n", "write sequential, every 100ms"},
		{"requests", nodes + "workload: {model: m, source: a, requests: 0}\n", "write a whole number from 1"},
		{"deadline", nodes + "workload: {model: m, source: a, deadline: 0s}\n", "workload.deadline: is 0"},
		{"twice", "name: a\nname: b\n", "name"},
		{"event without kind", nodes + "events: [{time: 1s}]\n", "events[0]: an event is one of kill, stop"},
		{"event of two kinds", nodes + "events: [{time: 1s, kill: a, stop: b}]\n", "write exactly one"},
		{"event without time", nodes + "events: [{kill: a}]\n", "events[0].time: missing"},
		{"event of unknown node", nodes + "events: [{time: 1s, kill: c}]\n", "events[0].kill: \"c\" is not in the file"},
		{"unknown link", nodes + link + "events: [{time: 1s, degrade: {link: x, rtt: 1s}}]\n", "degrade.link: \"x\" is not in the file: write one of a-b"},
		{"no change", nodes + link + "events: [{time: 1s, degrade: {link: a-b}}]\n", "changes nothing"},
		{"no rate", nodes + link + "events: [{time: 1s, degrade: {link: a-b, bandwidth: 0Mbps}}]\n", "write a positive rate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.file))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error is %v, want *Error", err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is\n%s, want it to contain\n%s", err, tt.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error has more than one line: %q", err)
			}
		})
	}
}

func TestLoadErrorNamesFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(path, []byte("nodes: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "bad.yaml") {
		t.Errorf("error is %v", err)
	}
	if _, err := Load(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}

func TestEventsStandInOrder(t *testing.T) {
	top, err := Parse([]byte("nodes: [{name: a}]\nevents: [{time: 2s, stop: a}, {time: 1s, kill: a}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if top.Events[0].Kind != Kill || top.Events[1].Time != 2*time.Second {
		t.Errorf("events are %+v", top.Events)
	}
}

func FuzzParse(f *testing.F) {
	data, err := os.ReadFile(filepath.Join("..", "..", "sim", "scenarios", "demo.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("nodes: [{name: a, speed: 1/3}]\nworkload: {model: m, source: a, arrivals: poisson 3/s}\n"))
	f.Add([]byte("a: &x [*x]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		top, err := Parse(data)
		if (err == nil) == (top == nil) {
			t.Fatalf("topology %v with error %v", top, err)
		}
	})
}
