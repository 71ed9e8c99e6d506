package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/codec/calibrate"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine/backends"
	"github.com/cleave-mesh/cleave/split/engine/suite"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// calibrateFlags are the flags of cleave calibrate.
type calibrateFlags struct {
	engineFlags
	inputs, pixels, task, out string
	codecs, shapes            []string
	samples, cuts             int
	goal                      calibrate.Goal
	values                    bool
	json                      bool
}

func newCalibrate() *cobra.Command {
	var f calibrateFlags
	cmd := &cobra.Command{
		Use:   "calibrate FILE.onnx --inputs DIR",
		Short: "Measure what each codec costs and does to a model's answers",
		Long: `Run real inputs and record, for every value that a legal cut can cross, bytes, error and time under each codec, and
how far the model's answers change. The result is written beside the model as FILE.onnx` + calibrate.Suffix + `.

DIR holds pictures (.png, .jpg), which --pixels turns into the model's input, or folders with input_0.pb, input_1.pb, ...`,
		Args: oneArgument("calibrate needs the path of a model: cleave calibrate FILE.onnx --inputs DIR"),
		RunE: func(cmd *cobra.Command, args []string) error { return runCalibrate(cmd, args[0], &f) },
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.inputs, "inputs", "", "folder of pictures, or of folders with input_K.pb files")
	cmd.Flags().StringVar(&f.pixels, "pixels", "", "how a pixel becomes an input, as scale=127.5,offset=-1,order=bgr")
	cmd.Flags().StringArrayVar(&f.shapes, "shape", nil, "size of the input as NAME=1x3x224x224, for models that leave it open")
	cmd.Flags().StringVar(&f.task, "task", "auto", "how answers are compared: auto, top1, mask, text, blazeface, ultraface, yunet, yolox or none")
	cmd.Flags().StringVar(&f.out, "out", "", "file to write; default beside the model")
	cmd.Flags().StringArrayVar(&f.codecs, "codec", nil, "a codec to try, as in a plan; repeat; default a ladder from exact to coarse")
	cmd.Flags().IntVar(&f.samples, "samples", 48, "inputs to run; beyond the pictures themselves these are crops of them")
	cmd.Flags().IntVar(&f.cuts, "cuts", 0, "most cuts to try, evenly spread; 0 means all")
	cmd.Flags().Float64Var(&f.goal.MaxError, "max-error", 0, "choose for each cut the fewest bits with at most this relative error of the model's outputs")
	cmd.Flags().Float64Var(&f.goal.Agreement, "agreement", 0, "choose for each cut the fewest bits with at least this share of answers that stay, such as 0.99")
	cmd.Flags().Float64Var(&f.goal.Bits, "bits", 0, "choose for each cut the least error with at most this many bits per element")
	cmd.Flags().BoolVar(&f.values, "values", false, "also measure each value alone on cuts that several cross")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the result as JSON")
	return cmd
}

func runCalibrate(cmd *cobra.Command, path string, f *calibrateFlags) error {
	if g := f.goal; !(g.MaxError >= 0 && g.Bits >= 0 && g.Agreement >= 0 && g.Agreement <= 1) {
		return fmt.Errorf("calibrate: --max-error %g, --bits %g and --agreement %g cannot be negative, and no share is above 1", g.MaxError, g.Bits, g.Agreement)
	}
	if f.inputs == "" {
		return fmt.Errorf("calibrate needs --inputs DIR with pictures or test data")
	}
	opts, err := f.options()
	if err != nil {
		return err
	}
	backend, err := backends.Lookup(f.engine)
	if err != nil {
		return err
	}
	ladder, err := parseLadder(f.codecs)
	if err != nil {
		return err
	}
	g, err := onnx.Load(path)
	if err != nil {
		return err
	}
	samples, err := readSamples(g, f)
	if err != nil {
		return err
	}
	ready, err := suite.Prepare(g, inputShapes(g, samples[0]))
	if err != nil {
		return err
	}
	bar := newProgress(cmd.ErrOrStderr())
	file, err := calibrate.Run(cmd.Context(), ready, samples, calibrate.Options{
		Backend: backend, Engine: opts, Task: f.task, Ladder: ladder, MaxCuts: f.cuts, Values: f.values,
		Progress: func(done, all int) { bar.show("cut %d of %d", done, all) },
	})
	bar.clear()
	if err != nil {
		return err
	}
	if f.goal != (calibrate.Goal{}) {
		file.Choose(f.goal)
	}
	out := f.out
	if out == "" {
		out = path + calibrate.Suffix
	}
	if err := file.Save(out); err != nil {
		return err
	}
	if f.json {
		return writeJSON(cmd.OutOrStdout(), file)
	}
	printCalibration(cmd.OutOrStdout(), file, out)
	return nil
}

func parseLadder(texts []string) ([]codec.Spec, error) {
	var ladder []codec.Spec
	for _, text := range texts {
		s, err := codec.Parse(text)
		if err != nil {
			return nil, err
		}
		ladder = append(ladder, s)
	}
	return ladder, nil
}

// readSamples makes the samples from pictures, or reads folders of TensorProto files.
func readSamples(g *split.Graph, f *calibrateFlags) ([][]tensor.Value, error) {
	pixels, err := calibrate.ParsePixels(f.pixels)
	if err != nil {
		return nil, err
	}
	pictures, err := calibrate.Pictures(f.inputs)
	if err != nil {
		return nil, err
	}
	var samples [][]tensor.Value
	if len(pictures) > 0 {
		if len(g.Inputs) != 1 {
			return nil, fmt.Errorf("%s holds pictures, but the model has %d inputs", f.inputs, len(g.Inputs))
		}
		bound, err := parseShapes(f.shapes)
		if err != nil {
			return nil, err
		}
		shape := g.Values[g.Inputs[0]].Shape.Clone()
		if s, ok := bound[g.Values[g.Inputs[0]].Name]; ok {
			shape = s
		}
		if len(shape) > 0 && shape[0] == tensor.Unknown {
			shape[0] = 1
		}
		// The whole pictures come last, so that they are among the judging samples.
		for i := f.samples - 1; i >= 0; i-- {
			t, err := calibrate.Sample(pictures, i, shape, pixels)
			if err != nil {
				return nil, err
			}
			samples = append(samples, []tensor.Value{t})
		}
		return samples, nil
	}
	folders, err := filepath.Glob(filepath.Join(f.inputs, "*", "input_0.pb"))
	if err != nil {
		return nil, err
	}
	for _, first := range folders {
		in := make([]tensor.Value, len(g.Inputs))
		for i, id := range g.Inputs {
			data, err := os.ReadFile(filepath.Join(filepath.Dir(first), fmt.Sprintf("input_%d.pb", i)))
			if err != nil {
				return nil, err
			}
			if in[i], err = onnx.ReadValue(data, g.Values[id].Type()); err != nil {
				return nil, err
			}
		}
		samples = append(samples, in)
	}
	if len(samples) == 1 {
		samples = append(samples, samples[0]) // tables are fitted to and judged on the one there is
	}
	if len(samples) == 0 {
		return nil, fmt.Errorf("%s holds neither pictures nor folders with input_0.pb", f.inputs)
	}
	return samples, nil
}

// printCalibration prints, per codec of the ladder, medians over the cuts and the worst cut, then what was chosen for a goal.
func printCalibration(w io.Writer, f *calibrate.File, out string) {
	fmt.Fprintf(w, "%s: %d cuts, %d values, %d samples fitted, %d judged, task %s\n", f.Model, len(f.Cuts), len(f.Values), f.Fitted, f.Judged, f.Task)
	fmt.Fprintf(w, "Medians over the cuts; agree is the share of answers that stay, flips the judged samples whose answer changes, each also of the worst cut.\n")
	fmt.Fprintf(w, "%-28s %9s %9s %9s %7s %7s %6s %6s %9s %9s\n", "codec", "bits/elem", "error", "output", "agree", "worst", "flips", "worst", "enc ns/el", "dec ns/el")
	for _, r := range summarize(f) {
		fmt.Fprintf(w, "%-28s %9.3f %9.5f %9.5f %7s %7s %6d %6d %9.2f %9.2f\n",
			r.Codec, r.Bits, r.Error, r.Effect.Error, shareText(r.Effect.Agreement), shareText(r.worstAgreement), r.Effect.Flips, r.worstFlips, r.EncodeNS, r.DecodeNS)
	}
	printChoices(w, f)
	fmt.Fprintf(w, "written to %s\n", out)
}

// shareText is a share of answers; "-" where the task is not known.
func shareText(v float64) string {
	if v < 0 {
		return "-"
	}
	return fmt.Sprintf("%.4f", v)
}

// printChoices prints what the goal chose at each cut.
func printChoices(w io.Writer, f *calibrate.File) {
	if f.Goal == nil {
		return
	}
	fmt.Fprintf(w, "chosen for %v:\n", f.Goal)
	var bits []float64
	for i := range f.Cuts {
		c := &f.Cuts[i]
		p := f.Goal.Choose(c.Points)
		if p == nil {
			fmt.Fprintf(w, "  after group %4d: none of the codecs\n", c.Front)
			continue
		}
		bits = append(bits, p.Bits)
		fmt.Fprintf(w, "  after group %4d: %-32s %6.2f bits per element, output error %.4f, agree %s, %d of %d samples flip\n",
			c.Front, p.Codec, p.Bits, p.Effect.Error, shareText(p.Effect.Agreement), p.Effect.Flips, f.Judged)
	}
	if len(bits) > 0 {
		sort.Float64s(bits)
		fmt.Fprintf(w, "median %.2f bits per element over %d of %d cuts\n", bits[len(bits)/2], len(bits), len(f.Cuts))
	}
}

// rung is a codec of the ladder over all cuts: medians, and the worst cut.
type rung struct {
	calibrate.Point
	worstAgreement float64
	worstFlips     int
}

func summarize(f *calibrate.File) []rung {
	byRung := map[int][]calibrate.Point{}
	for _, c := range f.Cuts {
		for i, p := range c.Points {
			byRung[i] = append(byRung[i], p)
		}
	}
	var rows []rung
	for i := range len(byRung) {
		points := byRung[i]
		row := rung{Point: points[0], worstAgreement: points[0].Effect.Agreement}
		if name, _, table := strings.Cut(row.Codec, ":table="); table {
			row.Codec = fmt.Sprintf("%s with tables %d", name, i)
		}
		middle := func(get func(calibrate.Point) float64) float64 {
			var v []float64
			for _, p := range points {
				v = append(v, get(p))
			}
			sort.Float64s(v)
			return v[len(v)/2]
		}
		row.Bits = middle(func(p calibrate.Point) float64 { return p.Bits })
		row.Error = middle(func(p calibrate.Point) float64 { return p.Error })
		row.EncodeNS = middle(func(p calibrate.Point) float64 { return p.EncodeNS })
		row.DecodeNS = middle(func(p calibrate.Point) float64 { return p.DecodeNS })
		row.Effect.Error = middle(func(p calibrate.Point) float64 { return p.Effect.Error })
		row.Effect.Agreement = middle(func(p calibrate.Point) float64 { return p.Effect.Agreement })
		row.Effect.Flips = int(middle(func(p calibrate.Point) float64 { return float64(p.Effect.Flips) }))
		for _, p := range points {
			row.worstAgreement, row.worstFlips = min(row.worstAgreement, p.Effect.Agreement), max(row.worstFlips, p.Effect.Flips)
		}
		rows = append(rows, row)
	}
	return rows
}
