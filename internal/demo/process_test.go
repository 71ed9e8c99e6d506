package demo

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cleanPatience is how long the nodes of a killed demo may take to notice and go.
const cleanPatience = 20 * time.Second

// buildCleave compiles the binary that the demo's nodes are processes of. It looks at every source file first, so that go test
// does not give a cached result after one of them has changed.
func buildCleave(t *testing.T) string {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") {
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(t.TempDir(), "cleave")
	if runtime.GOOS == "windows" {
		exe += ".exe"
	}
	out, err := exec.Command("go", "build", "-o", exe, "../../cmd/cleave").CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return exe
}

// demoCommand is the demo with a temporary folder of its own, so that what it leaves behind can be seen.
func demoCommand(t *testing.T, exe string, args ...string) (cmd *exec.Cmd, temp string) {
	temp = t.TempDir()
	cmd = exec.Command(exe, append([]string{"demo"}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "TMP="+temp, "HOME="+temp)
	return cmd, temp
}

func TestDemoReport(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the whole demo")
	}
	cmd, temp := demoCommand(t, buildCleave(t), "--json", "--runs", "5", "--picture", filepath.Join(t.TempDir(), "faces.png"))
	var out, progress bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &progress
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, progress.Bytes())
	}
	var r Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("standard output is not one JSON document: %v", err)
	}
	if len(r.Nodes) != 3 || len(r.Paths) != 6 {
		t.Errorf("%d nodes and %d paths, want 3 and 6", len(r.Nodes), len(r.Paths))
	}
	if len(r.Rows) != len(ways) {
		t.Fatalf("%d rows, want %d", len(r.Rows), len(ways))
	}
	for _, row := range r.Rows {
		if row.PredictedMS <= 0 || row.MeasuredMS <= 0 || row.Stages < 1 || row.Runs != 5 {
			t.Errorf("row %+v is not filled in", row)
		}
		if row.Lossless && !row.Equal || row.MinIoU < row.Bound || row.Faces != 1 {
			t.Errorf("row %q: lossless %v, equal %v, %d faces, overlap %g of %g", row.Name, row.Lossless, row.Equal, row.Faces, row.MinIoU, row.Bound)
		}
		for _, tr := range row.Plan.Transfers {
			if strings.HasPrefix(row.Name, bestStays) && tr.Value == inputName(t) {
				t.Errorf("row %q: the picture leaves %s", row.Name, tr.From)
			}
		}
	}
	if !r.Degrade.Changed || r.Degrade.PlanBefore == r.Degrade.PlanAfter {
		t.Errorf("second act: %+v", r.Degrade)
	}
	if !r.Failover.Completed || r.Failover.Replans < 1 || r.Failover.MinIoU < minOverlap {
		t.Errorf("third act: %+v", r.Failover)
	}
	if len(r.Faces) != 1 || r.Faces[0].Score < 0.9 {
		t.Errorf("faces %+v", r.Faces)
	}
	nothingLeft(t, temp)
}

// TestKilledDemoLeavesNothing kills the demo at various of its steps, politely and not.
func TestKilledDemoLeavesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the demo several times")
	}
	exe := buildCleave(t)
	for _, c := range []struct {
		after int // lines of progress
		how   os.Signal
	}{{1, os.Kill}, {2, os.Interrupt}, {3, os.Kill}, {5, syscall.SIGTERM}, {8, os.Kill}, {9, os.Interrupt}, {11, os.Kill}} {
		t.Run(fmt.Sprintf("%v after line %d", c.how, c.after), func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" && c.how != os.Kill {
				t.Skip("Windows has no signals but kill")
			}
			cmd, temp := demoCommand(t, exe, "--runs", "3", "--picture", "")
			progress, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(progress)
			for range c.after {
				if !lines.Scan() {
					break
				}
			}
			_ = cmd.Process.Signal(c.how) // it may have ended already
			go func() {
				for lines.Scan() { // so that it never blocks on a full pipe
				}
			}()
			_ = cmd.Wait() // ended by the signal
			nothingLeft(t, temp)
		})
	}
}

// nothingLeft waits until no process mentions the folder and nothing is in it.
func nothingLeft(t *testing.T, temp string) {
	t.Helper()
	deadline := time.After(cleanPatience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		processes, files := mentioning(temp), inside(t, temp)
		if len(processes)+len(files) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("left behind after %v: processes %v, files %v", cleanPatience, processes, files)
		}
	}
}

// mentioning lists the running processes whose command line holds text; none where the system has no /proc.
func mentioning(text string) []string {
	var out []string
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range all {
		line, err := os.ReadFile(f)
		if err == nil && bytes.Contains(line, []byte(text)) {
			out = append(out, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return out
}

func inside(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// inputName is the embedded model's input.
func inputName(t *testing.T) string {
	t.Helper()
	picture, err := photo()
	if err != nil {
		t.Fatal(err)
	}
	o, err := newOracle(t.Context(), inputTensor(picture))
	if err != nil {
		t.Fatal(err)
	}
	return o.inputName
}
