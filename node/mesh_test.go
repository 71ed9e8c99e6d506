package node

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/host"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/backends"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// testModel is the model that the demo embeds.
const testModel = "../internal/demo/assets/blazeface-front.onnx"

// patience bounds every wait of a test.
const patience = 30 * time.Second

// testNode runs a node until the test ends.
func testNode(t *testing.T, name string, change func(*Config)) *Node {
	t.Helper()
	cfg := Config{Name: name, Data: filepath.Join(t.TempDir(), name), Listen: "127.0.0.1:0", API: "127.0.0.1:0", Threads: 1}
	if change != nil {
		change(&cfg)
	}
	n, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatalf("start node %s: %v", name, err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close node %s: %v", name, err)
		}
	})
	return n
}

// testMesh runs the named nodes as one mesh; the first is the authority.
func testMesh(t *testing.T, names ...string) []*Node {
	t.Helper()
	nodes := []*Node{testNode(t, names[0], nil)}
	token := testToken(t, nodes[0], len(names))
	for _, name := range names[1:] {
		nodes = append(nodes, testNode(t, name, func(c *Config) { c.Join = token }))
	}
	for _, n := range nodes {
		until(t, "everybody to know everybody", func() error {
			if k := len(n.peers.usable()); k != len(names) {
				return fmt.Errorf("%s knows %d of %d nodes", n.Name(), k, len(names))
			}
			return nil
		})
	}
	return nodes
}

func testToken(t *testing.T, n *Node, uses int) string {
	t.Helper()
	tok, err := testClient(t, n).Token(t.Context(), client.TokenRequest{Uses: uses})
	if err != nil {
		t.Fatal(err)
	}
	return tok.Token
}

func testClient(t *testing.T, n *Node) *client.Client {
	c := client.New(n.API(), n.set.Key)
	t.Cleanup(c.Close)
	return c
}

// until waits for ready to return nil.
func until(t *testing.T, what string, ready func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited for %s: %v", what, err)
		}
	}
}

// pushModel gives the test model to the mesh and waits until every node has profiled it.
func pushModel(t *testing.T, c *client.Client, nodes int) client.Model {
	t.Helper()
	b, err := os.ReadFile(testModel)
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Push(t.Context(), "faces", bytes.NewReader(b), client.PushOptions{Image: "scale=127.5,offset=-1"})
	if err != nil {
		t.Fatal(err)
	}
	return untilProfiled(t, c, m.Name, nodes)
}

// untilProfiled waits until so many nodes have profiled a model.
func untilProfiled(t *testing.T, c *client.Client, name string, nodes int) (m client.Model) {
	t.Helper()
	until(t, "the model to be profiled everywhere", func() (err error) {
		if m, err = c.Model(t.Context(), name); err != nil {
			return err
		}
		done := 0
		for _, at := range m.Nodes {
			if at.Error != "" {
				t.Fatalf("node %s: %s", at.Node, at.Error)
			}
			if len(at.Profiles) > 0 {
				done++
			}
		}
		if done != nodes {
			return fmt.Errorf("%d of %d nodes have profiled it", done, nodes)
		}
		return nil
	})
	return m
}

// local runs the test model without a mesh.
func local(t *testing.T) (in, out map[string]*tensor.Tensor) {
	t.Helper()
	g, err := onnx.Load(testModel)
	if err != nil {
		t.Fatal(err)
	}
	bound, err := bind(g, nil)
	if err != nil {
		t.Fatal(err)
	}
	if g, err = backends.Prepare(g, bound); err != nil {
		t.Fatal(err)
	}
	exec, err := backends.Backends()[0].Compile(t.Context(), g, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Close()
	values, err := host.Sample(g)
	if err != nil {
		t.Fatal(err)
	}
	res, err := exec.Run(t.Context(), values)
	if err != nil {
		t.Fatal(err)
	}
	in, out = map[string]*tensor.Tensor{}, map[string]*tensor.Tensor{}
	for i, v := range g.Inputs {
		in[g.Values[v].Name] = values[i].(*tensor.Tensor)
	}
	for i, v := range g.Outputs {
		out[g.Values[v].Name] = res[i].(*tensor.Tensor).Clone()
	}
	return in, out
}

func sameOutputs(t *testing.T, want, got map[string]*tensor.Tensor) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d outputs, want %d", len(got), len(want))
	}
	for name, w := range want {
		if g := got[name]; g == nil || !g.Equal(w) {
			t.Errorf("output %q is %v, and differs from the local run's %v", name, g, w)
		}
	}
}

func TestSplitOverThreeNodesEqualsLocalRun(t *testing.T) {
	nodes := testMesh(t, "device", "edge", "cloud")
	c := testClient(t, nodes[0])
	pushModel(t, c, len(nodes))
	in, want := local(t)
	for _, via := range [][]string{{"device"}, {"edge"}, {"device", "edge"}, {"device", "edge", "cloud"}, {"cloud", "device", "edge"}} {
		t.Run(fmt.Sprint(via), func(t *testing.T) {
			plan, err := c.Plan(t.Context(), client.PlanRequest{Model: "faces", Lossless: true, Via: via, Install: true})
			if err != nil {
				t.Fatal(err)
			}
			on := map[string]bool{}
			for _, s := range plan.Stages {
				on[s.Node] = true
			}
			for _, name := range via {
				if !on[name] {
					t.Errorf("the plan has no stage on %s: %s", name, plan.Picture)
				}
			}
			if !plan.Lossless || !plan.Installed {
				t.Errorf("lossless %v, installed %v", plan.Lossless, plan.Installed)
			}
			res, err := c.Infer(t.Context(), client.InferRequest{Model: "faces", Plan: plan.ID, Inputs: in})
			if err != nil {
				t.Fatal(err)
			}
			sameOutputs(t, want, res.Outputs)
			if res.Report.Replanned || res.Report.Plan != plan.ID || res.Report.TotalMS <= 0 {
				t.Errorf("report %+v", res.Report)
			}
		})
	}
}
