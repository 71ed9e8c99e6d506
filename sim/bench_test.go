package sim

import (
	"context"
	"strings"
	"testing"
)

// BenchmarkRun is a second of a busy mesh of three nodes: ns/op over 1e9 is the share of real time that it takes.
func BenchmarkRun(b *testing.B) {
	text := strings.Replace(three, "requests: 20", "requests: 1000, arrivals: poisson 10/s, deadline: 60s", 1)
	top := parse(b, text)
	var events, virtual float64
	for b.Loop() {
		res, err := Run(context.Background(), Config{Topology: top, Profile: camera(), Policy: policies(b)[3], Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		events += float64(res.Events)
		virtual += res.Elapsed.Seconds()
	}
	b.ReportMetric(events/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(virtual/b.Elapsed().Seconds(), "virtual-s/s")
}
