package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/backends"
	"github.com/cleave-mesh/cleave/split/onnx"
)

type benchReport struct {
	Model        string       `json:"model"`
	Engine       string       `json:"engine"`
	Version      string       `json:"version"`
	Threads      int          `json:"threads"`
	LoadMS       float64      `json:"load_ms"` // reading, canonicalising and compiling
	MedianMS     float64      `json:"median_ms"`
	MinMS        float64      `json:"min_ms"`
	P90MS        float64      `json:"p90_ms"`
	Runs         int          `json:"runs"`
	AllocsPerRun float64      `json:"allocs_per_run"`
	BytesPerRun  float64      `json:"alloc_bytes_per_run"`
	GFLOPs       float64      `json:"gflop"`
	GFLOPPerS    float64      `json:"gflop_per_s"`
	Weights      int64        `json:"weight_bytes"`
	Activations  int64        `json:"activation_bytes"`
	Groups       []groupBench `json:"groups,omitempty"`
}

type groupBench struct {
	Name    string  `json:"name"`
	Pattern string  `json:"pattern"`
	MS      float64 `json:"ms"`
}

func newBench() *cobra.Command {
	var flags engineFlags
	var asJSON, groups, memory, alone bool
	var duration time.Duration
	var shapes []string
	var against string
	var counts []int
	cmd := &cobra.Command{
		Use:   "bench FILE.onnx",
		Short: "Time a model on this machine with inputs that are made up",
		Args:  oneArgument("bench needs the path of a model: cleave bench FILE.onnx"),
		RunE: func(cmd *cobra.Command, args []string) error {
			bound, err := parseShapes(shapes)
			if err != nil {
				return err
			}
			if memory {
				return benchMemory(cmd, args[0], against, alone, asJSON, &flags)
			}
			if against != "" {
				r, err := compareEngines(cmd.Context(), args[0], against, counts, duration, bound, &flags, newProgress(cmd.ErrOrStderr()))
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(cmd.OutOrStdout(), r)
				}
				printComparison(cmd.OutOrStdout(), r)
				return nil
			}
			r, err := benchModel(cmd.Context(), args[0], bound, duration, groups, &flags)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), r)
			}
			printBench(cmd.OutOrStdout(), r)
			return nil
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	cmd.Flags().BoolVar(&groups, "groups", false, "also time each group of ops")
	cmd.Flags().BoolVar(&memory, "memory", false, "instead of times, print predicted and measured memory, load time and the peak of a fresh process; FILE may be a folder of models")
	cmd.Flags().BoolVar(&alone, "alone", false, "measure memory in this process, not in a fresh one")
	_ = cmd.Flags().MarkHidden("alone") // what --memory starts
	cmd.Flags().DurationVar(&duration, "time", time.Second, "how long to measure")
	cmd.Flags().StringArrayVar(&shapes, "shape", nil, "size of an input as NAME=1x3x224x224, for models that leave it open; repeat for each")
	cmd.Flags().StringVar(&against, "against", "", "compare with another engine, run by run in turn; FILE may be a folder of models")
	cmd.Flags().IntSliceVar(&counts, "thread-counts", []int{1, 2}, "thread counts to compare at")
	return cmd
}

// parseShapes reads --shape flags.
func parseShapes(flags []string) (map[string]tensor.Shape, error) {
	shapes := map[string]tensor.Shape{}
	for _, f := range flags {
		name, s, err := parseShape(f)
		if err != nil {
			return nil, err
		}
		shapes[name] = s
	}
	return shapes, nil
}

func benchModel(ctx context.Context, path string, shapes map[string]tensor.Shape, duration time.Duration, groups bool, flags *engineFlags) (*benchReport, error) {
	opts, err := flags.options()
	if err != nil {
		return nil, err
	}
	backend, err := backends.Lookup(flags.engine)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	g, err := onnx.LoadSkeleton(path) // times do not depend on weights that are not there yet
	if err != nil {
		return nil, err
	}
	ready, err := backends.Prepare(g, shapes)
	if err != nil {
		return nil, err
	}
	in, err := engine.SynthesizeInputs(ready)
	if err != nil {
		return nil, fmt.Errorf("%w: add --shape, for example --shape x=1x3x224x224", err)
	}
	exe, err := backend.Compile(ctx, ready, opts)
	if err != nil {
		return nil, err
	}
	defer exe.Close()
	r := &benchReport{Model: path, Engine: backend.Name(), Version: backend.Version(), Threads: flags.threads, LoadMS: milliseconds(time.Since(start))}
	if _, err := exe.Run(ctx, in); err != nil {
		return nil, err
	}
	if err := r.measure(ctx, exe, in, duration); err != nil {
		return nil, err
	}
	m := exe.Memory()
	r.Weights, r.Activations = m.Weights, m.Activations
	for i := range ready.Ops {
		r.GFLOPs += float64(ready.Cost(split.OpID(i)).FLOPs) / 1e9
	}
	r.GFLOPPerS = r.GFLOPs / (r.MedianMS / 1e3)
	if timer, ok := exe.(engine.GroupTimer); ok && groups {
		seconds := make([]float64, len(ready.Groups))
		const runs = 20
		for range runs {
			if _, err := timer.RunTimed(ctx, in, seconds); err != nil {
				return nil, err
			}
		}
		for i, s := range seconds {
			r.Groups = append(r.Groups, groupBench{Name: ready.Groups[i].Name, Pattern: ready.Groups[i].Pattern, MS: s * 1e3 / runs})
		}
	}
	return r, nil
}

// measure runs exe for the given time, at least three times.
func (r *benchReport) measure(ctx context.Context, exe engine.Executable, in []tensor.Value, duration time.Duration) error {
	times := make([]float64, 0, 1<<16)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for begin := time.Now(); len(times) < 3 || time.Since(begin) < duration && len(times) < cap(times); {
		start := time.Now()
		if _, err := exe.Run(ctx, in); err != nil {
			return err
		}
		times = append(times, float64(time.Since(start).Nanoseconds())/1e6)
	}
	runtime.ReadMemStats(&after)
	r.Runs = len(times)
	r.AllocsPerRun = float64(after.Mallocs-before.Mallocs) / float64(r.Runs)
	r.BytesPerRun = float64(after.TotalAlloc-before.TotalAlloc) / float64(r.Runs)
	slices.Sort(times)
	r.MedianMS, r.MinMS, r.P90MS = times[len(times)/2], times[0], times[len(times)*9/10]
	return nil
}

func printBench(w io.Writer, r *benchReport) {
	fmt.Fprintf(w, "%s on %s (%s), %d runs\n", r.Model, r.Engine, r.Version, r.Runs)
	fmt.Fprintf(w, "  median %.3f ms  min %.3f ms  90th percentile %.3f ms  %.2f GFLOP/s  load %.1f ms\n", r.MedianMS, r.MinMS, r.P90MS, r.GFLOPPerS, r.LoadMS)
	fmt.Fprintf(w, "  %.1f allocs/op  %.0f B/op  %.1f MiB of weights  %.1f MiB of activations\n",
		r.AllocsPerRun, r.BytesPerRun, float64(r.Weights)/(1<<20), float64(r.Activations)/(1<<20))
	for _, g := range r.Groups {
		fmt.Fprintf(w, "  %9.4f ms  %-24s %s\n", g.MS, g.Pattern, g.Name)
	}
}

// parseShape reads NAME=1x3x224x224; a scalar is NAME=.
func parseShape(f string) (string, tensor.Shape, error) {
	at := strings.LastIndex(f, "=")
	if at < 0 {
		return "", nil, fmt.Errorf("--shape %q: write NAME=1x3x224x224", f)
	}
	s := tensor.Shape{}
	for _, d := range strings.Split(f[at+1:], "x") {
		if f[at+1:] == "" {
			break
		}
		n, err := strconv.Atoi(d)
		if err != nil || n < 0 {
			return "", nil, fmt.Errorf("--shape %q: %q is not a size", f, d)
		}
		s = append(s, n)
	}
	return f[:at], s, nil
}
