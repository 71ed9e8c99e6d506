package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cleave-mesh/cleave/node/client"
)

// ofMesh reports whether the argument of cleave plan names a model of the running mesh rather than a file to plan here.
func ofMesh(arg string, f planFlags) bool {
	return arg != "" && f.topology == "" && !strings.HasSuffix(arg, ".onnx") && !strings.HasSuffix(arg, ".json")
}

// planMesh asks the node behind --api for the plan of one of the mesh's models, from what the nodes measured.
func planMesh(ctx context.Context, out, progress io.Writer, model string, f planFlags) error {
	ctx, cancel := context.WithTimeout(ctx, f.budget)
	defer cancel()
	c := f.api.client()
	defer c.Close()
	plan, err := c.Plan(ctx, client.PlanRequest{
		Model: model, Objective: f.objective, Planner: f.planner, Lossless: f.lossless, MaxLoss: f.maxLoss, Splits: f.splits, Exits: f.exits, Agreement: f.agreement,
	})
	if err != nil {
		return err
	}
	if f.svg != "" {
		if plan, err = c.PlanByID(ctx, plan.ID, true); err != nil {
			return err
		}
		if err := os.WriteFile(f.svg, []byte(plan.SVG), 0o644); err != nil {
			return err
		}
		fmt.Fprintln(progress, "wrote", f.svg)
	}
	if f.api.json {
		return writeJSON(out, plan)
	}
	_, err = fmt.Fprintf(out, "%s, as %s sees the mesh\n\n%s\n", model, plan.Entry, strings.TrimRight(plan.Picture, "\n"))
	return err
}
