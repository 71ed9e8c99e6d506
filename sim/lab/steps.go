package lab

import (
	"context"
	"fmt"
	"io"

	"github.com/cleave-mesh/cleave/node/client"
)

// Discover waits until every node knows every other as alive, and returns them as the entry sees them.
func (m *Mesh) Discover(ctx context.Context) ([]client.Node, error) {
	want := len(m.topology.Nodes)
	var seen []client.Node
	for name, c := range m.Clients {
		err := Await(ctx, startPatience, name+" to find the other nodes", func(ctx context.Context) error {
			n, err := c.Nodes(ctx)
			if err != nil {
				return err
			}
			alive := 0
			for _, node := range n.Nodes {
				if node.State == "alive" {
					alive++
				}
			}
			if alive != want {
				return fmt.Errorf("%d of %d nodes are known", alive, want)
			}
			if name == m.Entry {
				seen = n.Nodes
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	m.say("the %d nodes found each other by gossip", want)
	return seen, nil
}

// Push gives a model to the mesh and waits until every node has measured its own speed on it.
func (m *Mesh) Push(ctx context.Context, name string, model io.Reader, opts client.PushOptions) error {
	if _, err := m.Device().Push(ctx, name, model, opts); err != nil {
		return fmt.Errorf("push the model: %w", err)
	}
	m.say("pushed %s to %s; every node fetches and profiles it", name, m.Entry)
	err := Await(ctx, profilePatience, "the nodes to profile the model", func(ctx context.Context) error {
		state, err := m.Device().Model(ctx, name)
		if err != nil {
			return err
		}
		profiled := 0
		for _, at := range state.Nodes {
			if at.Error != "" {
				return Permanent{fmt.Errorf("node %s cannot run the model: %s", at.Node, at.Error)}
			}
			if at.Holds && len(at.Profiles) > 0 {
				profiled++
			}
		}
		if profiled != len(m.topology.Nodes) {
			return fmt.Errorf("%d of %d nodes have profiled it", profiled, len(m.topology.Nodes))
		}
		return nil
	})
	if err == nil {
		m.say("every node has profiled the model")
	}
	return err
}

// MeasurePaths waits until every directed path of the mesh has a measured goodput, and returns them.
func (m *Mesh) MeasurePaths(ctx context.Context) ([]client.Path, error) {
	want := len(m.topology.Nodes) * (len(m.topology.Nodes) - 1)
	var paths []client.Path
	err := Await(ctx, profilePatience, "the paths to be measured", func(ctx context.Context) error {
		p, err := m.Device().Paths(ctx)
		if err != nil {
			return err
		}
		measured := 0
		for _, path := range p.Paths {
			if path.Mbps > 0 && path.RTTMS > 0 {
				measured++
			}
		}
		if measured < want {
			return fmt.Errorf("%d of %d directed paths are measured", measured, want)
		}
		paths = p.Paths
		return nil
	})
	if err == nil {
		m.say("the %d directed paths are measured", want)
	}
	return paths, err
}
