package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/codec/calibrate"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/internal/topology"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/host"
	"github.com/cleave-mesh/cleave/node/placement"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/sim"
	"github.com/cleave-mesh/cleave/sim/scenarios"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/backends"
	"github.com/cleave-mesh/cleave/split/engine/suite"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// planModel plans a model over a topology: it measures the model here, or takes a profile that was measured before.
func planModel(ctx context.Context, out, progress io.Writer, arg string, f planFlags) error {
	t, err := planTopology(f.topology)
	if err != nil {
		return err
	}
	if f.objective != "" {
		t.Workload.Objective = f.objective
	}
	solver, err := planner.Lookup(f.planner)
	if err != nil {
		return err
	}
	budget := placement.Accuracy{Lossless: f.lossless, MaxLoss: max(f.maxLoss, 0), Agreement: f.agreement}
	if f.maxLoss == 0 {
		budget.MaxLoss = sim.DefaultMaxLoss
	}
	found, err := planFound(ctx, progress, arg, t, f, budget, solver)
	if err != nil {
		return err
	}
	p, plan := found.problem, found.plan
	if f.profileOut != "" {
		if err := writeProfile(f.profileOut, found.profile); err != nil {
			return err
		}
		fmt.Fprintln(progress, "wrote", f.profileOut)
	}
	compare, cancel := context.WithTimeout(ctx, f.budget)
	defer cancel()
	others := planner.Alternatives(compare, found.undivided, plan)
	if f.svg != "" {
		if err := os.WriteFile(f.svg, []byte(planner.SVG(p, plan)), 0o644); err != nil {
			return err
		}
		fmt.Fprintln(progress, "wrote", f.svg)
	}
	if f.api.json {
		r := reportPlan(p, plan, others, found.effects)
		r.Splits, r.Exits = found.parts, found.exits
		return writeJSON(out, r)
	}
	fmt.Fprintf(out, "%s over %s\n\n%s", p.Model, t.Name, planner.Render(p, plan, planner.Notes{Remarks: found.note, Others: others}))
	for _, tr := range plan.Transfers {
		v := &p.Values[tr.Value]
		if text := found.effects(v.Name, v.Codings[tr.Coding].Codec); text != "" {
			fmt.Fprintf(out, "calibrated: %s as %s: %s\n", planner.Short(v.Name), v.Codings[tr.Coding].Codec, text)
		}
	}
	return nil
}

// planFound plans what the argument names: with early exits where the model declares some, or with operator splits where the model itself is
// at hand and the planner is the best one.
func planFound(ctx context.Context, progress io.Writer, arg string, t *topology.Topology, f planFlags, budget placement.Accuracy, solver planner.Planner) (*planned, error) {
	var m *measured
	var err error
	if strings.HasSuffix(arg, ".onnx") {
		if m, err = measureModel(ctx, progress, arg, f, budget); err != nil {
			return nil, err
		}
		defer m.host.Close()
	} else if m, err = measuredBefore(arg, t, f); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.budget)
	defer cancel()
	s := &search{
		m: m, topology: t, policy: sim.Policy{Rule: t.Workload.Rule, MaxLoss: orUnlimited(budget.Limit()), Lossless: f.lossless}, solver: solver,
		splits: m.host != nil && f.splits != client.SplitsOff && f.planner == "", exits: f.exits != client.ExitsOff && f.planner == "",
	}
	return s.run(ctx, progress)
}

func writeProfile(path string, prof *sim.Profile) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(prof.Write(file), file.Close())
}

// orUnlimited is a limit as a sim.Policy takes it, in which 0 is a default and negative no limit.
func orUnlimited(limit float64) float64 {
	if limit == 0 {
		return -1
	}
	return limit
}

// effectOf says what calibration knows of a codec on a value, "" where it knows nothing.
type effectOf func(value, spec string) string

func planTopology(path string) (*topology.Topology, error) {
	if path == "" {
		return topology.Parse(scenarios.Demo)
	}
	return topology.Load(path)
}

var errNoModel = errors.New("say which model: cleave plan FILE.onnx, or a topology whose workload names a profile")

// planProfile finds measurements that were made before: a .json profile, or those that the topology names.
func planProfile(arg string, t *topology.Topology, f planFlags) (*sim.Profile, error) {
	path := ""
	switch {
	case strings.HasSuffix(arg, ".json"):
		path = arg
	case t.Workload.Profile != "" && (arg == "" || arg == t.Workload.Model):
		path = filepath.Join(t.Dir, t.Workload.Profile)
	case arg == "":
		return nil, errNoModel
	default:
		return nil, fmt.Errorf("%q is neither an .onnx file, a .json profile, nor the model of the topology (%s)", arg, t.Workload.Model)
	}
	if _, err := os.Stat(path); arg == "" && f.topology == "" && errors.Is(err, os.ErrNotExist) {
		return nil, errNoModel
	}
	if f.agreement > 0 || f.codecs != "" {
		return nil, fmt.Errorf("--agreement and --codecs need the model itself: cleave plan FILE.onnx; %s holds measurements without answers", path)
	}
	return sim.LoadProfile(path)
}

// calibrationBeside is the calibration of the model at path: the file that --codecs names, or the one beside the model. It
// is nil where there is none or none is wanted.
func calibrationBeside(path, codecs string) (*calibrate.File, error) {
	switch codecs {
	case noCodecs:
		return nil, nil
	case "":
		codecs = path + calibrate.Suffix
		if _, err := os.Stat(codecs); errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
	}
	f, err := calibrate.Load(codecs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", codecs, err)
	}
	return f, nil
}

// noCodecs is what --codecs takes instead of a file.
const noCodecs = "none"

// prepareModel reads a model for planning, at the sizes of inputSizes. guessed are the sizes to name when the model does not run at them.
func prepareModel(path string, file *calibrate.File, flags []string) (g *split.Graph, guessed []string, err error) {
	if g, err = onnx.Load(path); err != nil {
		return nil, nil, err
	}
	shapes, guessed, err := inputSizes(path, g, file, flags)
	if err != nil {
		return nil, nil, err
	}
	if g, err = backends.Prepare(g, shapes); err != nil {
		return nil, nil, sizesGuessed(err, guessed)
	}
	if file == nil {
		return g, guessed, nil
	}
	d := g.Digest()
	if err := file.Fits(hex.EncodeToString(d[:])); err != nil {
		return nil, nil, fmt.Errorf("%s: %w, or do without it with --codecs none", path, err)
	}
	return g, guessed, nil
}

// sizesGuessed adds to err the sizes that it may be due to.
func sizesGuessed(err error, guessed []string) error {
	if len(guessed) == 0 {
		return err
	}
	return fmt.Errorf("%w; the model leaves sizes open, taken as 1 in %s: say what they are with --shape", err, strings.Join(guessed, " "))
}

// measureModel profiles a model on this machine: seconds of each group, and what each codec makes of each value.
func measureModel(ctx context.Context, progress io.Writer, path string, f planFlags, budget placement.Accuracy) (*measured, error) {
	file, err := calibrationBeside(path, f.codecs)
	if err != nil {
		return nil, err
	}
	g, guessed, err := prepareModel(path, file, f.shapes)
	if err != nil {
		return nil, err
	}
	if f.agreement > 0 && file == nil {
		return nil, fmt.Errorf("--agreement needs a calibration: run cleave calibrate %s --inputs DIR first", path)
	}
	backend, err := backends.Lookup("auto")
	if err != nil {
		return nil, err
	}
	h, err := host.New(host.Config{Backends: []engine.Backend{backend}})
	if err != nil {
		return nil, err
	}
	m, err := measureOn(ctx, progress, h, g, file, path, f, budget)
	if err != nil {
		h.Close()
		return nil, sizesGuessed(err, guessed)
	}
	return m, nil
}

// measureOn measures a canonical graph on a host, which the result keeps. file may be nil.
func measureOn(
	ctx context.Context, progress io.Writer, h *host.Host, g *split.Graph, file *calibrate.File, path string, f planFlags, budget placement.Accuracy,
) (*measured, error) {
	fmt.Fprintf(progress, "measuring %s: %d groups under %s\n", path, len(g.Groups), strings.Join(h.Backends(), ", "))
	timings, err := h.Measure(ctx, g)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(progress, "measuring codecs on every value")
	found, err := h.Survey(ctx, g, planCodecs(g, f.image))
	if err != nil {
		return nil, err
	}
	q := placement.Question{
		Model: strings.TrimSuffix(filepath.Base(path), ".onnx"), Graph: g, Paths: [][]planner.Path{{{}}}, Objective: planner.Latency, InputsStay: true, // marks raw data
		Machines: []placement.Machine{{Name: "here", Speed: 1}},
		Codings: func(v split.ValueID) []planner.Coding {
			var out []planner.Coding
			for _, c := range found[v] {
				out = append(out, planner.Coding{Codec: c.Codec, Bytes: c.Bytes, Encode: c.Encode, Decode: c.Decode, Loss: c.Error})
			}
			allowed := budget
			allowed.Lossless = budget.Lossless || slices.Contains(g.Outputs, v) // as in the mesh: the answer itself is never approximated
			return allowed.Codings(file, &g.Values[v], out)
		},
	}
	if base := filepath.Base(filepath.Dir(path)); q.Model == "model" && base != "." {
		q.Model = base
	}
	q.Machines[0].Profiles = profilesOf(timings)
	return &measured{q: q, host: h, file: file}, nil
}

// inputSizes are the sizes of a model's inputs: where it leaves them open, those of flags (NAME=1x3x224x224), else of its calibration, which may
// be nil, else of the first set of test data beside it, else 1. guessed are the inputs with a size that nothing but that 1 is known of, as flags.
func inputSizes(path string, g *split.Graph, file *calibrate.File, flags []string) (shapes map[string]tensor.Shape, guessed []string, err error) {
	given, err := parseShapes(flags)
	if err != nil {
		return nil, nil, err
	}
	var data map[string]tensor.Shape
	if sets, err := suite.Sets(suite.Case{Dir: filepath.Dir(path)}, g); err == nil && len(sets) > 0 && len(sets[0].In) == len(g.Inputs) {
		data = inputShapes(g, sets[0].In)
	}
	shapes = map[string]tensor.Shape{}
	for _, id := range g.Inputs {
		v := &g.Values[id]
		s := append(tensor.Shape{}, v.Shape...)
		if !slices.Contains(s, tensor.Unknown) {
			shapes[v.Name] = s
			continue
		}
		if known, ok := given[v.Name]; ok {
			s = known
		} else if known, ok := calibratedShape(file, v.Name); ok {
			s = known
		} else if known, ok := data[v.Name]; ok {
			s = known
		} else {
			for k := range s {
				if s[k] == tensor.Unknown {
					s[k] = 1
				}
			}
			guessed = append(guessed, v.Name+"="+s.String())
		}
		shapes[v.Name] = s
	}
	for name := range given {
		if _, ok := shapes[name]; !ok {
			return nil, nil, fmt.Errorf("--shape: the model has no input %q", name)
		}
	}
	return shapes, guessed, nil
}

func calibratedShape(file *calibrate.File, name string) (tensor.Shape, bool) {
	if file == nil {
		return nil, false
	}
	s, ok := file.Shapes[name]
	return s, ok
}

// planCodecs lists the codecs to try on a value.
func planCodecs(g *split.Graph, image string) func(split.ValueID) []codec.Spec {
	inputs := map[split.ValueID]bool{}
	for _, v := range g.Inputs {
		inputs[v] = true
	}
	return func(id split.ValueID) []codec.Spec {
		v := &g.Values[id]
		if !placement.Travels(v) {
			return nil
		}
		names := []string{"raw", "lossless"}
		if v.DType == tensor.Float32 {
			names = append(names, "float16", "int8")
		}
		if inputs[id] && image != "" {
			names = append(names, "jpeg:"+image, "png:"+image)
		}
		var out []codec.Spec
		for _, n := range names {
			if s, err := codec.Parse(n); err == nil {
				out = append(out, s)
			}
		}
		return out
	}
}
