package demo

import (
	"bytes"
	"context"
	"fmt"

	"github.com/cleave-mesh/cleave/node/client"
)

// discover waits until every node knows every other as alive.
func (d *director) discover(ctx context.Context, r *Report) (err error) {
	r.Nodes, err = d.mesh.Discover(ctx)
	return err
}

// push gives the model to the mesh and waits until every node has measured its own speed on it and the paths are known.
func (d *director) push(ctx context.Context, r *Report) error {
	opts := client.PushOptions{Image: fmt.Sprintf("scale=%g,offset=%g", pixelScale, float64(pixelOffset))}
	if err := d.mesh.Push(ctx, modelName, bytes.NewReader(modelFile), opts); err != nil {
		return err
	}
	r.Model = Model{Name: modelName, Bytes: len(modelFile), FLOPs: d.oracle.flops, Groups: d.oracle.groups}
	paths, err := d.mesh.MeasurePaths(ctx)
	r.Paths = paths
	return err
}
