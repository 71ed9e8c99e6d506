package sim

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/cleave-mesh/cleave/internal/topology"
)

// TestScenarios runs every committed scenario once, with its own profile: no request may fail.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("scenarios", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scenarios, %v", len(files), err)
	}
	for _, file := range files {
		top, err := topology.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		profile, err := LoadProfile(filepath.Join(top.Dir, top.Workload.Profile))
		if err != nil {
			t.Fatal(err)
		}
		top.Workload.Requests = min(top.Workload.Requests, 200)
		for _, policy := range policies(t) {
			if policy.Name != BestOfAll {
				continue
			}
			res, err := Run(context.Background(), Config{Topology: top, Profile: profile, Policy: policy, Seed: 1, Events: true})
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if got := len(res.Latencies()); got != top.Workload.Requests {
				t.Errorf("%s: %d of %d requests were answered", file, got, top.Workload.Requests)
			}
		}
	}
}
