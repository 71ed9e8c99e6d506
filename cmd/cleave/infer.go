package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/split"
)

// inferReport is what infer prints.
type inferReport struct {
	Model   string         `json:"model"`
	Outputs []tensorReport `json:"outputs"`
	Report  client.Report  `json:"report"`
}

func newInfer() *cobra.Command {
	var api apiFlags
	var picture, save string
	var inputs []string
	var req client.InferRequest
	var deadline time.Duration
	cmd := &cobra.Command{
		Use:   "infer MODEL",
		Short: "Run a model of the mesh, split as the plan says",
		Args:  oneArgument("infer needs the name of a model: cleave infer MODEL --image F"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if req.Plan != "" && (req.Exits != "" || req.Lossless || req.MaxLoss != 0 || req.Agreement != 0 || req.Strategy != "") {
				return errors.New("--plan is a plan as it stands: give it without --strategy, --exits, --lossless, --max-loss and --agreement")
			}
			c := api.client()
			req.Model, req.Deadline = args[0], deadline
			m, err := c.Model(cmd.Context(), req.Model)
			if err != nil {
				return err
			}
			if req.Inputs, err = meshInputs(m, picture, inputs); err != nil {
				return err
			}
			res, err := c.Infer(cmd.Context(), req)
			if err != nil {
				return err
			}
			out := inferReport{Model: m.Name, Report: res.Report}
			for _, name := range res.Order {
				t, err := reportOutput(name, res.Outputs[name], save)
				if err != nil {
					return err
				}
				out.Outputs = append(out.Outputs, t...)
			}
			if api.json {
				return writeJSON(cmd.OutOrStdout(), out)
			}
			return printInfer(cmd.OutOrStdout(), out)
		},
	}
	api.register(cmd)
	f := cmd.Flags()
	f.StringVar(&picture, "image", "", "a PNG or JPEG file as the model's picture input, scaled to its size")
	f.StringArrayVar(&inputs, "input", nil, "an input as NAME=FILE, with a .npy or .pb (TensorProto) file; repeat for each")
	f.StringVar(&save, "save", "", "directory to write every output to, as NAME.npy")
	f.StringVar(&req.Plan, "plan", "", "id of the plan to use")
	f.StringVar(&req.Strategy, "strategy", "", "how to plan: "+strings.Join(client.Strategies(), ", ")+" (default best)")
	f.StringVar(&req.Exits, "exits", "", "auto lets the request leave at an early exit of the model that is sure of its answer, off never does; empty means auto")
	f.BoolVar(&req.Lossless, "lossless", false, "only codecs that lose nothing")
	f.Float64Var(&req.MaxLoss, "max-loss", 0, "most relative error of all codecs together, of the answer where the model is calibrated; 0 means the node's default, negative no limit")
	f.Float64Var(&req.Agreement, "agreement", 0, "least share of answers that must stay by the model's calibration, such as 0.99; takes the place of --max-loss")
	f.DurationVar(&deadline, "deadline", 0, "when the answer stops being useful (default the node's)")
	return cmd
}

// meshInputs reads the inputs of a model from files.
func meshInputs(m client.Model, picture string, flags []string) (map[string]*tensor.Tensor, error) {
	in := map[string]*tensor.Tensor{}
	var names []string
	ports := map[string]client.Port{}
	for _, p := range m.Inputs {
		names = append(names, p.Name)
		ports[p.Name] = p
	}
	for _, f := range flags {
		name, path, ok := strings.Cut(f, "=")
		if !ok {
			return nil, fmt.Errorf("--input %q: write NAME=FILE", f)
		}
		port, ok := ports[name]
		if !ok {
			return nil, fmt.Errorf("--input %s: the model has no such input; it has %s", name, strings.Join(names, ", "))
		}
		d, err := tensor.ParseDType(port.DType)
		if err != nil {
			return nil, fmt.Errorf("--input %s: %w", name, err)
		}
		v, err := readValue(path, split.Type{DType: d, Shape: port.Shape})
		if err != nil {
			return nil, fmt.Errorf("--input %s: %w", name, err)
		}
		t, ok := v.(*tensor.Tensor)
		if !ok {
			return nil, fmt.Errorf("--input %s: %s holds no tensor", name, path)
		}
		in[name] = t
	}
	if picture != "" {
		name, t, err := pictureInput(m, picture)
		if err != nil {
			return nil, err
		}
		in[name] = t
	}
	for _, name := range names {
		if in[name] == nil {
			return nil, fmt.Errorf("input %q (%s %v) is missing: add --input %s=FILE.npy, or --image FILE for a picture",
				name, ports[name].DType, ports[name].Shape, name)
		}
	}
	return in, nil
}

func printInfer(w io.Writer, r inferReport) error {
	rep := r.Report
	fmt.Fprintf(w, "%s: %.1f ms (predicted %.1f ms), %d bytes over links, plan %.12s", r.Model, rep.TotalMS, rep.PredictedMS, rep.Bytes, rep.Plan)
	if rep.Exit != "" {
		fmt.Fprintf(w, ", answered at the early exit %s", rep.Exit)
	}
	if rep.Replanned {
		fmt.Fprintf(w, ", replanned %d times", rep.Replans)
	}
	fmt.Fprintln(w)
	for _, e := range rep.Events {
		fmt.Fprintln(w, " ", e)
	}
	var rows [][]string
	for _, s := range rep.Stages {
		rows = append(rows, []string{fmt.Sprintf("stage %d", s.Stage), s.Node, fmt.Sprintf("%.1f ms", s.MS), ""})
	}
	for _, t := range rep.Transfers {
		rows = append(rows, []string{"send " + t.Value, t.From + " > " + t.To, fmt.Sprintf("%.1f ms", t.EncodeMS+t.WireMS+t.DecodeMS), fmt.Sprintf("%d bytes, %s", t.Bytes, t.Codec)})
	}
	if err := table(w, "STEP WHERE TIME WHAT", rows); err != nil {
		return err
	}
	fmt.Fprintln(w)
	rows = nil
	for _, o := range r.Outputs {
		row := []string{o.Name, o.DType, o.Shape.String(), "", "", o.File}
		if o.Min != nil {
			row[3], row[4] = fmt.Sprintf("%.6g", *o.Min), fmt.Sprintf("%.6g", *o.Max)
		}
		rows = append(rows, row)
	}
	return table(w, "OUTPUT TYPE SHAPE MIN MAX FILE", rows)
}
