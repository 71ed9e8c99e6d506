// Package demo is Cleave's main job shown on one machine: device, edge and cloud as three node processes over shaped
// links discover each other, plan the cut of a real face detector, run it, adapt to a worse link, and survive a kill.
package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/internal/topology"
	"github.com/cleave-mesh/cleave/sim/lab"
	"github.com/cleave-mesh/cleave/sim/scenarios"
)

// Options say how the demo runs.
type Options struct {
	// Exe is the cleave binary that the nodes are processes of.
	Exe string
	// Runs is how many times each row is measured; 0 means 15.
	Runs int
	// Picture is where the annotated PNG goes; "" means no picture.
	Picture string
	// Progress receives a line for every step; nil means none.
	Progress io.Writer
}

const defaultRuns = 15

// director carries what the acts share.
type director struct {
	opts   Options
	topo   *topology.Topology
	mesh   *lab.Mesh
	began  time.Time
	input  *tensor.Tensor
	oracle *oracle
}

// Run performs the demo and reports it. Whatever happens, no process and no folder of the demo's is left when it returns;
// ctx ends it early with ctx's error.
func Run(ctx context.Context, opts Options) (report *Report, err error) {
	if opts.Runs == 0 {
		opts.Runs = defaultRuns
	}
	if opts.Progress == nil {
		opts.Progress = io.Discard
	}
	d := &director{opts: opts, began: time.Now()}
	if d.topo, err = topology.Parse(scenarios.Demo); err != nil {
		return nil, err
	}
	picture, err := photo()
	if err != nil {
		return nil, err
	}
	d.input = inputTensor(picture)
	d.say("running the whole model in this process: the reference for every split")
	if d.oracle, err = newOracle(ctx, d.input); err != nil {
		return nil, err
	}
	if d.mesh, err = lab.Start(ctx, lab.Options{
		Exe: opts.Exe, Topology: d.topo, File: scenarios.Demo, Name: "demo", Say: d.say,
	}); err != nil {
		return nil, err
	}
	defer d.mesh.Close()

	report = &Report{Picture: opts.Picture}
	for _, act := range []func(context.Context, *Report) error{d.discover, d.push, d.measure, d.simulate, d.degrade, d.fail} {
		if err := act(ctx, report); err != nil {
			if dead := d.mesh.FirstFailure(); dead != nil && ctx.Err() == nil {
				err = fmt.Errorf("%w (%w)", err, dead)
			}
			return nil, err
		}
	}
	report.Faces = facesInPixels(d.oracle.found, picture.Bounds())
	if opts.Picture != "" {
		if err := annotate(opts.Picture, picture, d.oracle.found); err != nil {
			return nil, err
		}
	}
	report.Seconds = time.Since(d.began).Seconds()
	return report, nil
}

// say prints one step with the time since the start.
func (d *director) say(format string, args ...any) {
	fmt.Fprintf(d.opts.Progress, "%5.1f s  %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(format, args...))
}
