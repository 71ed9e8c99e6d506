package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/backends"
	"github.com/cleave-mesh/cleave/split/engine/native"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// footprint is what one engine takes to load, compile and run one model in a process of its own.
type footprint struct {
	Model  string  `json:"model"`
	Engine string  `json:"engine"`
	LoadMS float64 `json:"load_ms"` // from the file to an engine that is ready
	// PeakBytes is the process's largest resident set up to the end of the second run; 0 where the system does not tell.
	PeakBytes int64 `json:"peak_bytes"`
	// Predicted is the executable's Memory without Mapped, and Live what it measurably holds after a run: heap beyond what the
	// process had before the model, without the inputs. Only the native engine's heap is visible.
	Predicted int64 `json:"predicted_bytes"`
	Live      int64 `json:"live_bytes"`
	// Mapped is the executable's Memory.Mapped, and File the pages of the model's file that are in memory.
	Mapped  int64 `json:"mapped_bytes"`
	File    int64 `json:"file_bytes"`
	Weights int64 `json:"weight_bytes"`
	Arena   int64 `json:"activation_bytes"`
	Scratch int64 `json:"scratch_bytes"`
	// AllocsPerRun is heap allocations of a run after the second.
	AllocsPerRun float64 `json:"allocs_per_run"`
}

// benchMemory is cleave bench --memory.
func benchMemory(cmd *cobra.Command, path, against string, alone, asJSON bool, flags *engineFlags) error {
	name := flags.engine
	if name == "auto" {
		name = "native"
	}
	if alone {
		f, err := measureFootprint(cmd.Context(), path, name, flags.threads)
		if err != nil {
			return err
		}
		return writeJSON(cmd.OutOrStdout(), f)
	}
	engines := []string{name}
	if against != "" {
		engines = append(engines, against)
	}
	rows, skipped, err := compareFootprints(cmd.Context(), path, engines, flags.threads, newProgress(cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(cmd.OutOrStdout(), struct {
			Models  [][]*footprint `json:"models"`
			Skipped []string       `json:"skipped,omitempty"`
		}{rows, skipped})
	}
	printFootprints(cmd.OutOrStdout(), rows, skipped)
	return nil
}

// measureFootprint loads, compiles and runs the model in this process, which must be fresh.
func measureFootprint(ctx context.Context, path, name string, threads int) (*footprint, error) {
	b, err := backends.Lookup(name)
	if err != nil {
		return nil, err
	}
	if err := warm(ctx); err != nil {
		return nil, err
	}
	before := liveHeap()
	f := &footprint{Model: path, Engine: b.Name()}
	exe, in, err := f.load(ctx, b, path, threads)
	if err != nil {
		return nil, err
	}
	defer exe.Close()
	for range 2 {
		if _, err := exe.Run(ctx, in); err != nil {
			return nil, err
		}
	}
	f.PeakBytes = statusBytes("VmHWM:")
	var inputs int64
	for _, v := range in {
		if t, ok := v.(*tensor.Tensor); ok {
			inputs += int64(len(t.Bytes()))
		}
	}
	f.Live, f.File = liveHeap()-before-inputs, residentFile(path)
	m := exe.Memory()
	f.Predicted, f.Weights, f.Arena, f.Scratch = m.Total(), m.Weights, m.Activations, m.Scratch
	f.Mapped = m.Mapped
	const runs = 5
	var a, z runtime.MemStats
	runtime.ReadMemStats(&a)
	for range runs {
		if _, err := exe.Run(ctx, in); err != nil {
			return nil, err
		}
	}
	runtime.ReadMemStats(&z)
	f.AllocsPerRun = math.Floor(float64(z.Mallocs-a.Mallocs) / runs) // the odd one is the runtime's own
	runtime.KeepAlive(in)
	return f, nil
}

// warm loads, compiles and runs a model of one op, so that what a process sets up once is there.
func warm(ctx context.Context) error {
	b := split.NewBuilder("warm", onnx.ModernOpset)
	x := b.Input("x", split.Type{DType: tensor.Float32, Shape: tensor.Shape{1, 1}})
	b.Output(b.Op("MatMul", nil, x, b.Const("w", tensor.Of(tensor.Float32, tensor.Shape{1, 1}, float32(1)))))
	g, err := b.Graph()
	if err != nil {
		return err
	}
	model, err := onnx.Encode(g)
	if err != nil {
		return err
	}
	if g, err = onnx.Decode(model, ""); err != nil {
		return err
	}
	if g, err = backends.Prepare(g, nil); err != nil {
		return err
	}
	exe, err := native.New(native.Config{}).Compile(ctx, g, engine.Options{})
	if err != nil {
		return err
	}
	if _, err = exe.Run(ctx, []tensor.Value{tensor.Of(tensor.Float32, tensor.Shape{1, 1}, float32(1))}); err != nil {
		return err
	}
	return exe.Close()
}

// load makes the executable and its inputs, and keeps nothing else of the model.
func (f *footprint) load(ctx context.Context, b engine.Backend, path string, threads int) (engine.Executable, []tensor.Value, error) {
	start := time.Now()
	g, err := onnx.Load(path)
	if err != nil {
		return nil, nil, err
	}
	loaded := time.Since(start)
	in, err := benchInputs(path, g, nil)
	if err != nil {
		return nil, nil, err
	}
	start = time.Now()
	prepare := backends.Prepare
	if b.Name() == "ort" { // ONNX Runtime optimises the model as it is
		prepare = split.Specialize
	}
	if g, err = prepare(g, inputShapes(g, in)); err != nil {
		return nil, nil, err
	}
	exe, err := b.Compile(ctx, g, engine.Options{Threads: threads})
	f.LoadMS = milliseconds(loaded + time.Since(start))
	return exe, in, err
}

// liveHeap is the bytes of reachable Go objects.
func liveHeap() int64 {
	runtime.GC()
	runtime.GC() // the first one only moves what pools hold aside
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// statusBytes is a field of the process's status in bytes, 0 where the system has none.
func statusBytes(field string) int64 {
	var n int64
	eachLine("/proc/self/status", func(words []string) {
		if len(words) > 1 && words[0] == field {
			kib, _ := strconv.ParseInt(words[1], 10, 64)
			n = kib << 10
		}
	})
	return n
}

// residentFile is how much of a mapped file is in this process's memory.
func residentFile(path string) int64 {
	full, err := filepath.Abs(path)
	if err != nil {
		return 0
	}
	if real, err := filepath.EvalSymlinks(full); err == nil {
		full = real
	}
	var n int64
	inside := false
	eachLine("/proc/self/smaps", func(words []string) {
		switch {
		case len(words) >= 5 && strings.Contains(words[0], "-"):
			inside = words[len(words)-1] == full
		case inside && len(words) > 1 && words[0] == "Rss:":
			kib, _ := strconv.ParseInt(words[1], 10, 64)
			n += kib << 10
		}
	})
	return n
}

func eachLine(path string, f func(words []string)) {
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer file.Close()
	for s := bufio.NewScanner(file); s.Scan(); {
		f(strings.Fields(s.Text()))
	}
}

// compareFootprints measures every model below path, or one file, on each engine, each in a fresh process.
func compareFootprints(ctx context.Context, path string, engines []string, threads int, progress *progress) ([][]*footprint, []string, error) {
	models, err := modelFiles(path)
	if err != nil {
		return nil, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	var rows [][]*footprint
	var skipped []string
	for _, m := range models {
		var row []*footprint
		for _, e := range engines {
			progress.show("%s on %s", m, e)
			cmd := exec.CommandContext(ctx, self, "bench", "--memory", "--alone", "--json", "--engine", e, "--threads", strconv.Itoa(threads), m)
			out, err := cmd.Output()
			if ctx.Err() != nil {
				progress.clear()
				return nil, nil, ctx.Err()
			}
			f := &footprint{}
			if err == nil {
				err = json.Unmarshal(out, f)
			}
			if err != nil {
				skipped = append(skipped, fmt.Sprintf("%s on %s: %v", m, e, reason(err)))
				continue
			}
			row = append(row, f)
		}
		if len(row) > 0 {
			rows = append(rows, row)
		}
	}
	progress.clear()
	return rows, skipped, nil
}

// reason is what a failed process said last, or the error.
func reason(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		lines := strings.Split(strings.TrimSpace(string(exit.Stderr)), "\n")
		return errors.New(lines[len(lines)-1])
	}
	return err
}

func printFootprints(w io.Writer, rows [][]*footprint, skipped []string) {
	const mib = 1 << 20
	fmt.Fprintf(w, "%-24s %10s %10s %7s %10s %7s | %-s\n", "model", "predicted", "measured", "error", "file pages", "allocs", "per engine: load ms, peak MiB, ratios to the second engine")
	for _, row := range rows {
		f := row[0]
		fmt.Fprintf(w, "%-24s %8.2fMi %8.2fMi %+6.1f%% %8.2fMi %7.0f |", filepath.Base(filepath.Dir(f.Model)), float64(f.Predicted)/mib, float64(f.Live)/mib,
			100*(float64(f.Predicted)/float64(f.Live)-1), float64(f.File)/mib, f.AllocsPerRun)
		for _, e := range row {
			fmt.Fprintf(w, "  %s %8.1f ms %7.1f Mi", e.Engine, e.LoadMS, float64(e.PeakBytes)/mib)
		}
		if len(row) > 1 {
			fmt.Fprintf(w, "  ratios %.2f %.2f", f.LoadMS/row[1].LoadMS, float64(f.PeakBytes)/float64(row[1].PeakBytes))
		}
		fmt.Fprintln(w)
	}
	for _, s := range skipped {
		fmt.Fprintf(w, "skipped %s\n", s)
	}
}
