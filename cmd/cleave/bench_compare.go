package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/backends"
	"github.com/cleave-mesh/cleave/split/engine/suite"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// comparison is one engine against another on one model.
type comparison struct {
	Model   string  `json:"model"`
	Threads int     `json:"threads"`
	MS      float64 `json:"ms"`
	OtherMS float64 `json:"other_ms"`
	Ratio   float64 `json:"ratio"` // MS / OtherMS
	// LoadMS is the time from the file to an engine that is ready.
	LoadMS      float64 `json:"load_ms"`
	OtherLoadMS float64 `json:"other_load_ms"`
}

type compareReport struct {
	Engine string       `json:"engine"`
	Other  string       `json:"other"`
	Models []comparison `json:"models"`
	// Skipped says which models could not be compared, and why.
	Skipped []string `json:"skipped,omitempty"`
	GeoMean float64  `json:"geometric_mean"`
	Worst   float64  `json:"worst"`
}

// settle is how long workers get to fall asleep between two engines' turns.
const settle = 80 * time.Millisecond

// compareEngines times every model below dir, or one file, on two engines in turn: round after round, so that both meet the same
// machine, and takes medians.
func compareEngines(ctx context.Context, dir, other string, threads []int, duration time.Duration, shapes map[string]tensor.Shape, flags *engineFlags, progress *progress) (*compareReport, error) {
	a, err := backends.Lookup(flags.engine)
	if err != nil {
		return nil, err
	}
	b, err := backends.Lookup(other)
	if err != nil {
		return nil, err
	}
	models, err := modelFiles(dir)
	if err != nil {
		return nil, err
	}
	r := &compareReport{Engine: a.Name() + " " + a.Version(), Other: b.Name() + " " + b.Version(), Models: []comparison{}}
	sum := 0.0
	for _, m := range models {
		for _, n := range threads {
			progress.show("%s on %d threads", m, n)
			c, err := compareModel(ctx, m, [2]engine.Backend{a, b}, n, duration, shapes)
			if err != nil {
				if ctx.Err() != nil {
					progress.clear()
					return nil, ctx.Err()
				}
				r.Skipped = append(r.Skipped, fmt.Sprintf("%s: %v", m, err))
				continue
			}
			r.Models = append(r.Models, *c)
			sum += math.Log(c.Ratio)
			r.Worst = max(r.Worst, c.Ratio)
		}
	}
	progress.clear()
	if len(r.Models) == 0 {
		return nil, fmt.Errorf("nothing to compare: %s", strings.Join(r.Skipped, "; "))
	}
	r.GeoMean = math.Exp(sum / float64(len(r.Models)))
	return r, nil
}

// modelFiles is path itself when it is a file, else the models in the folders below it.
func modelFiles(path string) ([]string, error) {
	if filepath.Ext(path) == ".onnx" {
		return []string{path}, nil
	}
	files, err := filepath.Glob(filepath.Join(path, "*", "model.onnx"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no models below %s: expected NAME/model.onnx", path)
	}
	slices.Sort(files)
	return files, nil
}

func compareModel(ctx context.Context, path string, engines [2]engine.Backend, threads int, duration time.Duration, shapes map[string]tensor.Shape) (*comparison, error) {
	var exes [2]engine.Executable
	var load [2]float64
	var in []tensor.Value
	for i, b := range engines {
		start := time.Now()
		g, err := onnx.Load(path)
		if err != nil {
			return nil, err
		}
		if in == nil {
			if in, err = benchInputs(path, g, shapes); err != nil {
				return nil, err
			}
		}
		bound, err := split.Specialize(g, inputShapes(g, in))
		if err != nil {
			return nil, err
		}
		if b.Name() != "ort" { // ONNX Runtime optimises the model as it is
			if bound, err = suite.Prepare(g, inputShapes(g, in)); err != nil {
				return nil, err
			}
		}
		if exes[i], err = b.Compile(ctx, bound, engine.Options{Threads: threads}); err != nil {
			return nil, err
		}
		defer exes[i].Close()
		load[i] = milliseconds(time.Since(start))
	}
	var times [2][]float64
	for i, e := range exes { // warm up
		if _, err := e.Run(ctx, in); err != nil {
			return nil, fmt.Errorf("%s: %w", engines[i].Name(), err)
		}
	}
	const rounds, least = 8, 3
	for range rounds {
		for i, e := range exes {
			if threads > 1 {
				// An engine's idle workers look for work before they sleep, for tens of milliseconds in ONNX Runtime: they must not
				// take a core from the other engine's turn.
				time.Sleep(settle)
			}
			if _, err := e.Run(ctx, in); err != nil { // what the other engine left in the caches does not count
				return nil, err
			}
			begin := time.Now()
			for n := 0; n < least || time.Since(begin) < duration/rounds/2; n++ {
				start := time.Now()
				if _, err := e.Run(ctx, in); err != nil {
					return nil, err
				}
				times[i] = append(times[i], float64(time.Since(start).Nanoseconds())/1e6)
			}
		}
	}
	median := func(v []float64) float64 {
		slices.Sort(v)
		return v[len(v)/2]
	}
	c := &comparison{Model: path, Threads: threads, MS: median(times[0]), OtherMS: median(times[1]), LoadMS: load[0], OtherLoadMS: load[1]}
	c.Ratio = c.MS / c.OtherMS
	return c, nil
}

// benchInputs are those of the model's first test data set where it has one, else made up.
func benchInputs(path string, g *split.Graph, shapes map[string]tensor.Shape) ([]tensor.Value, error) {
	sets, err := suite.Sets(suite.Case{Dir: filepath.Dir(path)}, g)
	if err == nil && len(sets) > 0 && len(shapes) == 0 {
		return sets[0].In, nil
	}
	bound, err := split.Specialize(g, shapes)
	if err != nil {
		return nil, err
	}
	return engine.SynthesizeInputs(bound)
}

func printComparison(w io.Writer, r *compareReport) {
	fmt.Fprintf(w, "%s against %s\n", r.Engine, r.Other)
	for _, c := range r.Models {
		fmt.Fprintf(w, "%-28s %d threads  %9.3f ms  %9.3f ms  ratio %5.2f   load %7.1f ms  %7.1f ms\n",
			filepath.Base(filepath.Dir(c.Model)), c.Threads, c.MS, c.OtherMS, c.Ratio, c.LoadMS, c.OtherLoadMS)
	}
	for _, m := range r.Skipped {
		fmt.Fprintf(w, "skipped %s\n", m)
	}
	fmt.Fprintf(w, "geometric mean %.3f, worst %.2f, over %d runs\n", r.GeoMean, r.Worst, len(r.Models))
}
