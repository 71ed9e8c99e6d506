package demo

import (
	"bytes"
	"context"
	"fmt"

	"github.com/cleave-mesh/cleave/node/client"
)

// discover waits until every node knows every other as alive.
func (d *director) discover(ctx context.Context, r *Report) error {
	want := len(d.topo.Nodes)
	for name, c := range d.mesh.clients {
		err := await(ctx, startPatience, name+" to find the other nodes", func(ctx context.Context) error {
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
			if name == d.mesh.entry {
				r.Nodes = n.Nodes
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	d.say("the %d nodes found each other by gossip", want)
	return nil
}

// push gives the model to the mesh and waits until every node has measured its own speed on it and the paths are known.
func (d *director) push(ctx context.Context, r *Report) error {
	if _, err := d.mesh.device().Push(ctx, modelName, bytes.NewReader(modelFile), client.PushOptions{Image: fmt.Sprintf("scale=%g,offset=%g", pixelScale, float64(pixelOffset))}); err != nil {
		return fmt.Errorf("push the model: %w", err)
	}
	d.say("pushed %s (%d KB) to %s; every node fetches and profiles it", modelName, len(modelFile)/1000, d.mesh.entry)
	err := await(ctx, profilePatience, "the nodes to profile the model", func(ctx context.Context) error {
		m, err := d.mesh.device().Model(ctx, modelName)
		if err != nil {
			return err
		}
		profiled := 0
		for _, at := range m.Nodes {
			if at.Error != "" {
				return permanent{fmt.Errorf("node %s cannot run the model: %s", at.Node, at.Error)}
			}
			if at.Holds && len(at.Profiles) > 0 {
				profiled++
			}
		}
		if profiled != len(d.topo.Nodes) {
			return fmt.Errorf("%d of %d nodes have profiled it", profiled, len(d.topo.Nodes))
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.say("every node has profiled the model")
	r.Model = Model{Name: modelName, Bytes: len(modelFile), FLOPs: d.oracle.flops, Groups: d.oracle.groups}
	return d.measurePaths(ctx, r)
}

// measurePaths waits until every directed path of the mesh has a measured goodput.
func (d *director) measurePaths(ctx context.Context, r *Report) error {
	want := len(d.topo.Nodes) * (len(d.topo.Nodes) - 1)
	err := await(ctx, profilePatience, "the paths to be measured", func(ctx context.Context) error {
		p, err := d.mesh.device().Paths(ctx)
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
		r.Paths = p.Paths
		return nil
	})
	if err == nil {
		d.say("the %d directed paths are measured", want)
	}
	return err
}
