package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/sim/scenarios"
)

// Patience with the mesh: each wait of the demo ends by one of these.
const (
	startPatience   = 15 * time.Second
	profilePatience = 20 * time.Second
	pollInterval    = 50 * time.Millisecond
)

// mesh is the three node processes and a client for each.
type mesh struct {
	dir     string
	nodes   []*process
	clients map[string]*client.Client
	entry   string // the node that the demo calls: the workload's source
}

// startMesh starts every node of the topology on free loopback ports, in a folder that goes with the demo. The last node is
// the mesh's authority; the others join with its token.
func startMesh(ctx context.Context, d *director) (_ *mesh, err error) {
	dir, err := os.MkdirTemp("", "cleave-demo-")
	if err != nil {
		return nil, fmt.Errorf("make the demo's folder: %w", err)
	}
	m := &mesh{dir: dir, clients: map[string]*client.Client{}, entry: d.topo.Workload.Source}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	topologyFile := filepath.Join(dir, "demo.yaml")
	if err := os.WriteFile(topologyFile, scenarios.Demo, 0o600); err != nil {
		return nil, fmt.Errorf("write the demo's topology: %w", err)
	}
	token := ""
	for _, n := range slices.Backward(d.topo.Nodes) {
		data := filepath.Join(dir, n.Name)
		args := []string{
			"node", "--name", n.Name, "--data", data, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0",
			"--topology", topologyFile, "--supervised", dir,
		}
		if token == "" {
			args = append(args, "--init")
		} else {
			args = append(args, "--join", token)
		}
		p, err := start(d.opts.Exe, n.Name, args)
		if err != nil {
			return nil, err
		}
		m.nodes = append(m.nodes, p)
		c, err := m.connect(ctx, p, data)
		if err != nil {
			return nil, err
		}
		m.clients[n.Name] = c
		d.say("node %s runs as process %d, speed x%g", n.Name, p.cmd.Process.Pid, n.Speed)
		if token == "" {
			t, err := c.Token(ctx, client.TokenRequest{ValidSeconds: 60, Uses: len(d.topo.Nodes)})
			if err != nil {
				return nil, fmt.Errorf("get a join token from %s: %w", n.Name, err)
			}
			token = t.Token
		}
	}
	return m, nil
}

// connect waits until a node's HTTP interface answers.
func (m *mesh) connect(ctx context.Context, p *process, data string) (c *client.Client, err error) {
	err = await(ctx, startPatience, "node "+p.name+" to start", func(ctx context.Context) error {
		if dead := p.failure(); dead != nil {
			return permanent{dead}
		}
		addr, err := os.ReadFile(filepath.Join(data, "api"))
		if err != nil {
			return err
		}
		c = client.New(string(addr), "")
		_, err = c.Self(ctx)
		return err
	})
	return c, err
}

// device is the client of the entry node.
func (m *mesh) device() *client.Client { return m.clients[m.entry] }

// process is the process of the node of that name; nil when there is none.
func (m *mesh) process(name string) *process {
	for _, p := range m.nodes {
		if p.name == name {
			return p
		}
	}
	return nil
}

// firstFailure is the end of the first node that ended by itself; nil while all run.
func (m *mesh) firstFailure() error {
	for _, p := range m.nodes {
		if err := p.failure(); err != nil {
			return err
		}
	}
	return nil
}

// close ends every process and removes the demo's folder.
func (m *mesh) close() {
	for _, c := range m.clients {
		c.Close()
	}
	for _, p := range m.nodes {
		_ = p.in.Close() // all leave at the same time
	}
	for _, p := range m.nodes {
		p.stop()
	}
	_ = os.RemoveAll(m.dir) // the nodes remove it too
}

// permanent wraps an error after which waiting is useless.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// await calls ready until it returns nil. It fails when ctx ends, when patience runs out (with ready's last error) and at once
// when ready fails permanently.
func await(ctx context.Context, patience time.Duration, what string, ready func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := ready(limited)
		var final permanent
		if err == nil || errors.As(err, &final) {
			return err
		}
		select {
		case <-limited.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("waited %v for %s: %w", patience, what, err)
		case <-tick.C:
		}
	}
}
