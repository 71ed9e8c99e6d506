package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/cleave-mesh/cleave/codec/calibrate"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/planner/workload"
)

// planFlags are the flags of cleave plan.
type planFlags struct {
	workload   string
	topology   string
	planner    string
	objective  string
	svg        string
	profileOut string
	splits     string
	exits      string
	image      string
	codecs     string
	shapes     []string
	maxLoss    float64
	agreement  float64
	lossless   bool
	free       bool
	budget     time.Duration
	api        apiFlags
}

func newPlanCommand() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use: "plan [MODEL|FILE.onnx]",
		Long: "Say where each part of a model should run, and prove it. MODEL is one of the mesh behind --api, planned from what its nodes\n" +
			"measured. FILE.onnx is measured on this machine, which has speed 1 in the topology; a .json profile was measured before.\n" +
			"Without a model, the topology's own workload is planned.",
		Short: "Say where each part of a model should run, and prove it",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.splits != "" && f.splits != client.SplitsAuto && f.splits != client.SplitsOff {
				return fmt.Errorf("--splits is %s or %s, not %q", client.SplitsAuto, client.SplitsOff, f.splits)
			}
			if f.exits != "" && f.exits != client.ExitsAuto && f.exits != client.ExitsOff {
				return fmt.Errorf("--exits is %s or %s, not %q", client.ExitsAuto, client.ExitsOff, f.exits)
			}
			objectives := []planner.Objective{"", planner.Latency, planner.Throughput, planner.Energy, planner.Price}
			if !slices.Contains(objectives, planner.Objective(f.objective)) {
				return fmt.Errorf("--objective is latency, throughput, energy or price, not %q", f.objective)
			}
			if f.budget <= 0 {
				return fmt.Errorf("--budget is the most time to plan, so more than nothing, not %v", f.budget)
			}
			if f.free && (f.workload == "" || f.objective != string(planner.Throughput)) {
				return errors.New("--non-contiguous is a form of --workload FILE.json --objective throughput")
			}
			if f.workload != "" && len(args) > 0 {
				return fmt.Errorf("give either a model or --workload FILE.json, not both")
			}
			ctx := cmd.Context()
			if f.workload != "" {
				return planWorkload(ctx, cmd.OutOrStdout(), f)
			}
			model := ""
			if len(args) > 0 {
				model = args[0]
			}
			if ofMesh(model, f) {
				return planMesh(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr(), model, f)
			}
			return planModel(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr(), model, f)
		},
	}
	cmd.Flags().StringVar(&f.workload, "workload", "", "a device-placement problem in the dnn-partitioning JSON format")
	cmd.Flags().StringVar(&f.objective, "objective", "", "latency, throughput, energy or price; empty means what the topology says, or latency")
	cmd.Flags().StringVar(&f.topology, "topology", "", "topology file; empty means that of the demo")
	cmd.Flags().StringVar(&f.planner, "planner", "", "planner to use; empty means the best")
	cmd.Flags().StringVar(&f.svg, "svg", "", "file to draw the timeline into")
	cmd.Flags().StringVar(&f.profileOut, "profile-out", "", "with FILE.onnx: file to write the profile of the planned graph into, for cleave sim --profile")
	cmd.Flags().StringVar(&f.splits, "splits", "", "auto divides blocks of ops over nodes where that is faster, off never does; empty means auto with FILE.onnx, off with a model of the mesh")
	cmd.Flags().StringVar(&f.exits, "exits", "", "auto lets requests leave at the model's early exits where that is faster, off never does; empty means auto")
	cmd.Flags().StringVar(&f.image, "image-params", "", "how a picture input maps to pixels, as for the jpeg codec: tries JPEG and PNG on inputs")
	cmd.Flags().Float64Var(&f.maxLoss, "max-loss", 0, "most relative error of all codecs together, of the answer where the model is calibrated; 0 means a node's default, negative no limit")
	cmd.Flags().Float64Var(&f.agreement, "agreement", 0, "least share of answers that must stay by the model's calibration, such as 0.99; takes the place of --max-loss")
	cmd.Flags().StringVar(&f.codecs, "codecs", "", "calibration of FILE.onnx; default FILE.onnx"+calibrate.Suffix+" where there is one, none to do without")
	cmd.Flags().StringArrayVar(&f.shapes, "shape", nil, "size of an input of FILE.onnx as NAME=1x3x224x224, where the model leaves it open; default that of the test data beside it, else 1")
	cmd.Flags().BoolVar(&f.lossless, "lossless", false, "only codecs that lose nothing")
	cmd.Flags().BoolVar(&f.free, "non-contiguous", false, "with --workload --objective throughput: any assignment, not only chains of convex sets")
	cmd.Flags().DurationVar(&f.budget, "budget", 5*time.Minute, "most time to plan, once everything is measured; the best plan so far is printed with its bound")
	f.api.register(cmd)
	return cmd
}

// workloadReport is what cleave plan --workload --json prints.
type workloadReport struct {
	Workload   string      `json:"workload"`
	Mode       string      `json:"mode"`
	Objective  float64     `json:"objective"`
	Bound      float64     `json:"bound"`
	Gap        float64     `json:"gap"`
	Optimal    bool        `json:"optimal"`
	Seconds    float64     `json:"seconds"`
	Solver     string      `json:"solver"`
	Claim      string      `json:"claim"`
	States     int         `json:"states"`
	Assignment map[int]int `json:"assignment"` // node id to device; accelerators first, then CPUs
}

func planWorkload(ctx context.Context, out io.Writer, f planFlags) error {
	switch planner.Objective(f.objective) {
	case "", planner.Latency, planner.Throughput:
	default:
		return fmt.Errorf("a workload is planned for throughput or latency, not for %q", f.objective)
	}
	data, err := os.ReadFile(f.workload)
	if err != nil {
		return err
	}
	w, err := workload.Parse(data)
	if err != nil {
		return fmt.Errorf("reading %s: %w", f.workload, err)
	}
	solve, mode := w.Latency, "latency"
	switch {
	case f.objective == "throughput" && f.free:
		solve, mode = w.NonContiguous, "throughput, non-contiguous"
	case f.objective == "throughput":
		solve, mode = w.Contiguous, "throughput, contiguous"
	}
	ctx, cancel := context.WithTimeout(ctx, f.budget)
	defer cancel()
	a, err := solve(ctx)
	if err != nil {
		return fmt.Errorf("planning %s: %w", f.workload, err)
	}
	r := workloadReport{
		Workload: f.workload, Mode: mode, Objective: a.Objective, Bound: a.Bound, Gap: a.Gap, Optimal: a.Optimal,
		Seconds: a.Seconds, Solver: a.Solver, Claim: a.Claim, States: a.States, Assignment: map[int]int{},
	}
	for k := range w.Ops {
		r.Assignment[w.Ops[k].ID] = int(a.Place[k])
	}
	if f.api.json {
		return writeJSON(out, r)
	}
	fmt.Fprintf(out, "%s, %s\nobjective %.10g  bound %.10g  gap %.2f %%  optimal %v  %.3f s\n%s (%s, %d states)\n",
		r.Workload, r.Mode, r.Objective, r.Bound, 100*r.Gap, r.Optimal, r.Seconds, r.Claim, r.Solver, r.States)
	return nil
}
