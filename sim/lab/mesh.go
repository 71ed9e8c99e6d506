package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cleave-mesh/cleave/internal/topology"
	"github.com/cleave-mesh/cleave/node/client"
)

// Patience with a mesh: each wait ends by one of these.
const (
	startPatience   = 15 * time.Second
	profilePatience = 60 * time.Second
	pollInterval    = 50 * time.Millisecond
)

// Mesh is a topology as node processes on this machine, and a client for each.
type Mesh struct {
	// Clients are by node name.
	Clients map[string]*client.Client
	// Entry is the node that requests go to: the workload's source.
	Entry string

	topology *topology.Topology
	dir      string
	nodes    []*Process
	say      func(format string, args ...any)
}

// Options say how a mesh is started.
type Options struct {
	// Exe is the cleave binary that the nodes are processes of.
	Exe string
	// Topology is what the nodes emulate; File is its file's content, and its Dir is where relative names in it are.
	Topology *topology.Topology
	File     []byte
	// Name goes into the name of the temporary folder that holds all of the nodes' data.
	Name string
	// Say receives a line for every step; nil means none.
	Say func(format string, args ...any)
}

// Start starts every node of the topology on free loopback ports, in a folder that goes with the mesh. The last node is
// the mesh's authority; the others join with its token. Close ends it all; so does the end of this process.
func Start(ctx context.Context, opts Options) (_ *Mesh, err error) {
	dir, err := os.MkdirTemp("", "cleave-"+opts.Name+"-")
	if err != nil {
		return nil, fmt.Errorf("make the folder of the mesh: %w", err)
	}
	own := *opts.Topology // events change its links
	own.Links = slices.Clone(own.Links)
	m := &Mesh{
		dir: dir, Clients: map[string]*client.Client{}, Entry: opts.Topology.Workload.Source, topology: &own, say: opts.Say,
	}
	if m.say == nil {
		m.say = func(string, ...any) {}
	}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	file := filepath.Join(dir, "topology.yaml")
	if err := os.WriteFile(file, opts.File, 0o600); err != nil {
		return nil, fmt.Errorf("write the topology: %w", err)
	}
	token := ""
	for _, n := range slices.Backward(opts.Topology.Nodes) {
		data := filepath.Join(dir, n.Name)
		args := []string{
			"node", "--name", n.Name, "--data", data, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0",
			"--topology", file, "--supervised", dir,
		}
		if token == "" {
			args = append(args, "--init")
		} else {
			args = append(args, "--join", token)
		}
		p, err := start(opts.Exe, n.Name, args)
		if err != nil {
			return nil, err
		}
		m.nodes = append(m.nodes, p)
		c, err := m.connect(ctx, p, data)
		if err != nil {
			return nil, err
		}
		m.Clients[n.Name] = c
		m.say("node %s runs as process %d, speed x%g", n.Name, p.PID(), n.Speed)
		if token == "" {
			t, err := c.Token(ctx, client.TokenRequest{ValidSeconds: 60, Uses: len(opts.Topology.Nodes)})
			if err != nil {
				return nil, fmt.Errorf("get a join token from %s: %w", n.Name, err)
			}
			token = t.Token
		}
	}
	return m, nil
}

// connect waits until a node's HTTP interface answers.
func (m *Mesh) connect(ctx context.Context, p *Process, data string) (c *client.Client, err error) {
	err = Await(ctx, startPatience, "node "+p.name+" to start", func(ctx context.Context) error {
		if dead := p.Failure(); dead != nil {
			return Permanent{dead}
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

// Device is the client of the entry node.
func (m *Mesh) Device() *client.Client { return m.Clients[m.Entry] }

// Process is the process of the node of that name; nil when there is none.
func (m *Mesh) Process(name string) *Process {
	for _, p := range m.nodes {
		if p.name == name {
			return p
		}
	}
	return nil
}

// FirstFailure is the end of the first node that ended by itself; nil while all run.
func (m *Mesh) FirstFailure() error {
	for _, p := range m.nodes {
		if err := p.Failure(); err != nil {
			return err
		}
	}
	return nil
}

// Close ends every process and removes the folder.
func (m *Mesh) Close() {
	for _, c := range m.Clients {
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

// Permanent wraps an error after which waiting is useless.
type Permanent struct{ Cause error }

func (p Permanent) Error() string { return p.Cause.Error() }

// Unwrap gives the cause.
func (p Permanent) Unwrap() error { return p.Cause }

// Await calls ready until it returns nil. It fails when ctx ends, when patience runs out (with ready's last error) and at once
// when ready fails permanently.
func Await(ctx context.Context, patience time.Duration, what string, ready func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := ready(limited)
		var final Permanent
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
