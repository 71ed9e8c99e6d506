// Command benchengine prints the engine's figures: every float32 model of a folder and two generated ones on the native engine
// and on ONNX Runtime in turn, and the rate of products against the core's peak. scripts/bench-engine.sh runs it.
//
// Each model is timed by a process of its own, so that one that fails or hangs is named and the others go on.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	var c config
	flag.StringVar(&c.cleave, "cleave", "cleave", "the cleave program")
	flag.StringVar(&c.folder, "folder", "", "folder of NAME/model.onnx")
	flag.StringVar(&c.threads, "threads", "1,2", "thread counts")
	flag.DurationVar(&c.time, "time", 2*time.Second, "how long each model is timed at each thread count")
	flag.DurationVar(&c.limit, "limit", 90*time.Second, "how long a model may take in all")
	only := flag.String("models", "", "names of the models to time, separated by spaces; none for all")
	parts := flag.String("parts", "models products", "what to print")
	flag.Parse()
	c.only = strings.Fields(*only)
	if err := run(context.Background(), os.Stdout, &c, strings.Fields(*parts)); err != nil {
		fmt.Fprintln(os.Stderr, "benchengine:", err)
		os.Exit(1)
	}
}

type config struct {
	cleave, folder, threads string
	time, limit             time.Duration
	only                    []string
}

func run(ctx context.Context, w io.Writer, c *config, parts []string) error {
	if slices.Contains(parts, "models") {
		if err := models(ctx, w, c); err != nil {
			return err
		}
	}
	if slices.Contains(parts, "products") {
		const rounds = 15
		return products(w, rounds)
	}
	return nil
}

// result is what cleave bench --against --json says of one model at one thread count.
type result struct {
	Threads     int     `json:"threads"`
	MS          float64 `json:"ms"`
	OtherMS     float64 `json:"other_ms"`
	Ratio       float64 `json:"ratio"`
	LoadMS      float64 `json:"load_ms"`
	OtherLoadMS float64 `json:"other_load_ms"`
}

// models times every model and prints a line each, and the summary.
func models(ctx context.Context, w io.Writer, c *config) error {
	paths, done, err := c.paths()
	if err != nil {
		return err
	}
	defer done()
	fmt.Fprintf(w, "%-24s %7s %12s %12s %7s %10s %10s\n", "model", "threads", "native, ms", "ORT, ms", "ratio", "load, ms", "ORT, ms")
	ratios := map[int][]float64{}
	worst := map[int]string{}
	var failed []string
	for _, path := range paths {
		name := filepath.Base(filepath.Dir(path))
		rs, err := c.compare(ctx, path)
		if err != nil {
			failed = append(failed, fmt.Sprintf("%s: %v", name, err))
		}
		for _, r := range rs {
			fmt.Fprintf(w, "%-24s %7d %12.3f %12.3f %7.2f %10.1f %10.1f\n", name, r.Threads, r.MS, r.OtherMS, r.Ratio, r.LoadMS, r.OtherLoadMS)
			if seen := ratios[r.Threads]; len(seen) == 0 || r.Ratio > slices.Max(seen) {
				worst[r.Threads] = name
			}
			ratios[r.Threads] = append(ratios[r.Threads], r.Ratio)
		}
	}
	for _, f := range failed {
		fmt.Fprintln(w, "not compared:", f)
	}
	var all []float64
	for n := range 1 + slices.Max(append(keys(ratios), 0)) {
		if v := ratios[n]; len(v) > 0 {
			fmt.Fprintf(w, "at %d threads: geometric mean %.3f over %d models, worst %.2f (%s)\n", n, geometricMean(v), len(v), slices.Max(v), worst[n])
			all = append(all, v...)
		}
	}
	if len(all) > 0 {
		fmt.Fprintf(w, "in all: geometric mean %.3f, worst %.2f\n", geometricMean(all), slices.Max(all))
	}
	return nil
}

func keys(m map[int][]float64) (k []int) {
	for n := range m {
		k = append(k, n)
	}
	return k
}

func geometricMean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += math.Log(x)
	}
	return math.Exp(sum / float64(len(v)))
}

// paths are the files of the models to time; done removes those that were generated.
func (c *config) paths() (paths []string, done func(), err error) {
	found, err := filepath.Glob(filepath.Join(c.folder, "*", "model.onnx"))
	if err != nil {
		return nil, nil, err
	}
	for _, p := range found {
		name := filepath.Base(filepath.Dir(p))
		if !strings.Contains(name, "int8") && !strings.Contains(name, "fp16") && c.wants(name) { // float32 models only
			paths = append(paths, p)
		}
	}
	dir, err := os.MkdirTemp("", "benchengine")
	if err != nil {
		return nil, nil, err
	}
	done = func() { _ = os.RemoveAll(dir) } // nothing is lost when it stays
	for name := range generated {
		if !c.wants(name) {
			continue
		}
		if err := writeGenerated(dir, name); err != nil {
			done()
			return nil, nil, err
		}
		paths = append(paths, filepath.Join(dir, name, "model.onnx"))
	}
	slices.SortFunc(paths, func(a, b string) int {
		return strings.Compare(filepath.Base(filepath.Dir(a)), filepath.Base(filepath.Dir(b)))
	})
	if len(paths) == 0 {
		done()
		return nil, nil, fmt.Errorf("no models: %s holds no NAME/model.onnx of the names %q", c.folder, c.only)
	}
	return paths, done, nil
}

func (c *config) wants(name string) bool { return len(c.only) == 0 || slices.Contains(c.only, name) }

// compare times one model in a process of its own.
func (c *config) compare(ctx context.Context, path string) ([]result, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	var out, log bytes.Buffer
	cmd := exec.CommandContext(ctx, c.cleave, "bench", "--against", "ort", "--thread-counts", c.threads, "--time", c.time.String(), "--json", path)
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, fmt.Errorf("not done after %v", c.limit)
		}
		const most = 300 // bytes of the reason
		text := strings.TrimSpace(log.String())
		if len(text) > most {
			text = text[len(text)-most:]
		}
		return nil, fmt.Errorf("%w: %s", err, text)
	}
	var r struct {
		Models  []result `json:"models"`
		Skipped []string `json:"skipped"`
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return nil, fmt.Errorf("read what cleave bench printed: %w", err)
	}
	if len(r.Skipped) > 0 {
		return r.Models, errors.New(r.Skipped[0])
	}
	return r.Models, nil
}
