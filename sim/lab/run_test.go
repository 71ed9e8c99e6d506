package lab

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/internal/topology"
)

const pairOfNodes = `
name: pair
nodes:
  - {name: device, speed: 1/10}
  - {name: edge, speed: 1}
links:
  - {from: device, to: edge, bandwidth: 50Mbps, rtt: 4ms}
workload: {model: blazeface-front, source: device, requests: 40, deadline: 10s}
events:
  - {time: 100ms, degrade: {link: device-edge, bandwidth: 20Mbps, rtt: 8ms}}
  - {time: 250ms, kill: edge}
`

// TestRun measures a pair of real nodes beside their simulation, worsens their link, and kills one. How near the figures are to
// each other depends on what else the machine does, and is not held here.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("runs real nodes")
	}
	exe := filepath.Join(t.TempDir(), "cleave")
	if runtime.GOOS == "windows" {
		exe += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", exe, "../../cmd/cleave").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	top, err := topology.Parse([]byte(pairOfNodes))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), Config{
		Options: Options{Exe: exe, Topology: top, File: []byte(pairOfNodes), Say: t.Logf},
		Model:   filepath.Join("..", "..", "internal", "demo", "assets", "blazeface-front.onnx"), Runs: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) != 4 || r.Profile == nil || r.Story == nil {
		t.Fatalf("report is %+v", r)
	}
	for _, row := range r.Rows {
		if row.MeasuredMS <= 0 || row.SimulatedMS <= 0 || row.PredictedMS <= 0 {
			t.Errorf("row is %+v", row)
		}
	}
	if m := r.Story.Measured; m.Requests != 40 || m.Failed != 0 || len(r.Story.Happened) != 2 {
		t.Errorf("with a kill: %+v", m)
	}
	if s := r.Story.Simulated; s.Requests != 40 || s.Failed != 0 {
		t.Errorf("simulated: %+v", s)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	var b strings.Builder
	if err := r.Print(&b); err != nil || !strings.Contains(b.String(), "median error of the simulation") {
		t.Errorf("printed %q, %v", b.String(), err)
	}
}

func TestLabRefusesWhatItDoesNotDo(t *testing.T) {
	for text, want := range map[string]string{
		"nodes: [{name: a}]\n": "there is no workload",
		"nodes: [{name: a}, {name: b, absent: true}]\nworkload: {model: m, source: a}\n":                  "b is absent at the start",
		"nodes: [{name: a}, {name: b}]\nworkload: {model: m, source: a}\nevents: [{time: 1s, join: b}]\n": "b joins",
	} {
		top, err := topology.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		_, err = Run(t.Context(), Config{Options: Options{Topology: top}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
}

func TestAwait(t *testing.T) {
	ready := func(err error) error {
		return Await(t.Context(), time.Millisecond, "nothing", func(context.Context) error { return err })
	}
	if err := ready(nil); err != nil {
		t.Error(err)
	}
	if err := ready(os.ErrNotExist); err == nil || !strings.Contains(err.Error(), "waited 1ms for nothing") {
		t.Error(err)
	}
	if err := ready(Permanent{os.ErrNotExist}); err == nil || strings.Contains(err.Error(), "waited") {
		t.Error(err)
	}
}
