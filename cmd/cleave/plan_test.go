package main

import (
	"strings"
	"testing"
)

// What cleave plan is asked wrongly is refused before anything is measured, in the words of the flag.
func TestPlanRefusesByFlag(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args string
		want string
	}{
		{"plan", "say which model"},
		{"plan x.onnx --objective speed", `--objective is latency, throughput, energy or price, not "speed"`},
		{"plan x.onnx --budget 0s", "--budget"},
		{"plan x.onnx --budget -1s", "--budget"},
		{"plan x.onnx --non-contiguous", "--non-contiguous"},
		{"plan --workload x.json --objective latency --non-contiguous", "--non-contiguous"},
		{"plan --workload x.json --objective energy", "throughput or latency"},
		{"plan x.onnx --workload x.json", "not both"},
		{"plan x.onnx --splits perhaps", "--splits"},
		{"plan x.onnx --exits perhaps", "--exits"},
		{"plan x.onnx --planner nobody", `no planner is called "nobody"`},
		{"plan x.onnx", "x.onnx"},
		{"plan x.json", "x.json"},
	} {
		if out, err := cleave(t, strings.Fields(c.args)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("cleave %s: %v, want %q\n%s", c.args, err, c.want, out)
		}
	}
}
