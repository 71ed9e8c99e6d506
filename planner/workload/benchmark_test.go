package workload

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/planner/oracletest"
)

func load(t *testing.T, path string) *Workload {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// The published instance of BERT-24 by layers: its known contiguous optimum, and the published greedy's latency as the least to reach.
func TestBERT24(t *testing.T) {
	w := load(t, "testdata/bert24_throughput.json")
	a, err := w.Contiguous(context.Background())
	if err != nil || math.Abs(a.Objective-17.78990625) > 1e-9 || !a.Optimal {
		t.Errorf("contiguous: %+v, %v; known optimum 17.78990625", a, err)
	}
	if got := slices.Max(w.Loads(a.Place)); got != a.Objective {
		t.Errorf("the placement's largest load is %v, reported %v", got, a.Objective)
	}
	w = load(t, "testdata/bert24_latency.json")
	a, err = w.Latency(context.Background())
	if err != nil || a.Objective > 100.2185+1e-9 || !a.Optimal {
		t.Errorf("latency: %+v, %v; published greedy 100.2185", a, err)
	}
	if got, ok := w.Finish(a.Place); !ok || got != a.Objective {
		t.Errorf("the placement ends at %v (%v), reported %v", got, ok, a.Objective)
	}
}

// The other instances of the shared benchmark, where it is at hand.
func TestSharedBenchmark(t *testing.T) {
	root := os.Getenv("CLEAVE_SHARED")
	if root == "" {
		t.Skip("CLEAVE_SHARED does not name the folder with planner-benchmarks")
	}
	for path, want := range map[string]float64{
		"LayerGraphs/resnet50_inference.json":    33.774666015625,
		"OperatorGraphs/bert_l-3_inference.json": 27.9185676799125,
		"OperatorGraphs/resnet50_inference.json": 124.34884977404485,
		"LayerGraphs/bert24_inference.json":      17.78990625,
	} {
		a, err := load(t, filepath.Join(root, "planner-benchmarks/throughput-inputs", path)).Contiguous(context.Background())
		if err != nil || math.Abs(a.Objective-want) > 1e-9 || !a.Optimal {
			t.Errorf("%s: %v %v, want %v", path, a, err, want)
		}
	}
	for path, greedy := range map[string]float64{
		"LayerGraphs/resnet50_inference.json": 4197.05547, "OperatorGraphs/bert_l-3_inference.json": 416.20438,
	} {
		a, err := load(t, filepath.Join(root, "planner-benchmarks/latency-inputs", path)).Latency(context.Background())
		if err != nil || a.Objective > greedy || a.Gap > 0.05 {
			t.Errorf("%s: %v %v, greedy %v", path, a, err, greedy)
		}
	}
}

// Any assignment of the operator graphs: proven by the search for a division alone.
func TestSharedBenchmarkNonContiguous(t *testing.T) {
	root := os.Getenv("CLEAVE_SHARED")
	if root == "" {
		t.Skip("CLEAVE_SHARED does not name the folder with planner-benchmarks")
	}
	for path, want := range map[string]float64{
		"bert_l-3_inference.json": 21.908376106, "resnet50_inference.json": 124.34884977404485,
	} {
		w := load(t, filepath.Join(root, "planner-benchmarks/throughput-inputs/OperatorGraphs", path))
		a, err := w.nonContiguous(context.Background(), 0, 0)
		if err != nil || !a.Optimal || math.Abs(a.Objective-want) > 1e-8 || slices.Max(w.Loads(a.Place)) != a.Objective {
			t.Errorf("%s: %+v %v, want %v", path, a, err, want)
		}
	}
}

const tiny = `{"maxSizePerFPGA":10,"maxFPGAs":1,"maxCPUs":1,"nodes":[{"id":0,"supportedOnFpga":1,"cpuLatency":1,"fpgaLatency":1,"isBackwardNode":0},
{"id":1,"supportedOnFpga":true,"cpuLatency":1,"fpgaLatency":1,"isBackwardNode":false}],"edges":[{"sourceId":0,"destId":1,"cost":2}]}`

func TestParseRefusesByName(t *testing.T) {
	if _, err := Parse([]byte(tiny)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, want string }{
		{`"isBackwardNode":0`, `"isBackwardNode":1`, "training"},
		{`"cpuLatency":1,"fpgaLatency":1,"isBackwardNode":0`, `"fpgaLatency":1,"isBackwardNode":0`, "node 0: cpuLatency is missing"},
		{`"cpuLatency":1,"fpgaLatency":1,"isBackwardNode":0`, `"cpuLatency":-1,"fpgaLatency":1,"isBackwardNode":0`, "node 0: cpuLatency is missing, negative"},
		{`"cost":2`, `"cost":-2`, "edge 0 to 1: cost"},
		{`"destId":1`, `"destId":9`, "one of which there is not"},
		{`"destId":1`, `"destId":0`, "a cycle"},
		{`{"sourceId":0`, `{"sourceId":1,"destId":0,"cost":1},{"sourceId":0`, "cycle"},
		{`"id":1`, `"id":0`, "two nodes have id 0"},
		{`"maxFPGAs":1`, `"maxFPGAs":1000`, "maxFPGAs"},
	} {
		_, err := Parse([]byte(strings.Replace(tiny, c.from, c.to, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.to, err, c.want)
		}
		if c.want == "training" && !errors.Is(err, ErrTraining) {
			t.Errorf("%v is not ErrTraining", err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(tiny))
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := Parse(data)
		if err != nil && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrTraining) {
			t.Errorf("%v is neither ErrInvalid nor ErrTraining", err)
		}
		if err == nil {
			for k := range w.Ops {
				for _, p := range w.Ops[k].Preds {
					if p >= k {
						t.Errorf("op %d stands before its input", k)
					}
				}
			}
		}
	})
}

// The non-contiguous bound lies below brute force, and the plan above it.
func TestNonContiguousBracketsBruteForce(t *testing.T) {
	for seed := range oracletest.Seeds(t, 60) {
		r := rand.New(rand.NewPCG(seed, 3))
		w := draw(r, 1+r.IntN(6))
		want := brute(w, w.Accelerators+w.CPUs, func(p []Device) (float64, bool) { return slices.Max(w.Loads(p)), true })
		a, err := w.nonContiguous(context.Background(), 1, 20_000)
		if err != nil {
			continue
		}
		if a.Bound > want*(1+1e-9) || a.Objective < want*(1-1e-9) {
			t.Errorf("seed %d: brute force %v outside [%v, %v]", seed, want, a.Bound, a.Objective)
		}
	}
}
