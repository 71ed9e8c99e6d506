package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/sim"
)

func TestSimOfTheDemoWorksAlone(t *testing.T) {
	dir := t.TempDir()
	scenario := filepath.Join("..", "..", "sim", "scenarios", "demo.yaml")
	out, err := cleave(t, "sim", scenario, "--json", "--replications", "2", "--requests", "10", "--out", dir)
	if err != nil {
		t.Fatal(err)
	}
	var report sim.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Comparison.Rows) != 6 || report.Story == nil {
		t.Fatalf("report is %s", out)
	}
	for _, row := range report.Comparison.Rows {
		if row.Failure != "" || row.Failed > 0 || row.SimulatedMS <= 0 || row.PredictedMS <= 0 {
			t.Errorf("row is %+v", row)
		}
	}
	for _, name := range []string{"report.json", "rows.csv", "requests.csv", "latency.svg", "trace.json"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSimAnswersMistakes(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("nodes: [{name: a, sped: 2}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	scenario := filepath.Join("..", "..", "sim", "scenarios", "demo.yaml")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"sim"}, "accepts 1 arg"},
		{[]string{"sim", "nowhere.yaml"}, "nowhere.yaml"},
		{[]string{"sim", bad}, "line 1: nodes[0].sped: unknown field"},
		{[]string{"sim", scenario, "--planner", "nobody"}, "no planner is called \"nobody\""},
		{[]string{"sim", scenario, "--replications", "0"}, "want at least 1"},
		{[]string{"sim", scenario, "--profile", scenario}, "bad profile"},
		{[]string{"sim", scenario, "--sed", "1"}, "unknown flag"},
	} {
		_, err := cleave(t, tt.args...)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("cleave %v: %v, want one line with %q", tt.args, err, tt.want)
		}
	}
}
