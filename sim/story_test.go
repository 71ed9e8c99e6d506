package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/cleave-mesh/cleave/internal/topology"
)

// TestStories tells the scenarios in testdata with the camera's profile: `story` runs one and prints what happened and how
// the requests fared, a line for each run of requests with the same plan and outcome.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "story" {
				d.Fatalf(t, "unknown command %q", d.Cmd)
			}
			name := BestOfAll
			if d.HasArg("policy") {
				d.ScanArgs(t, "policy", &name)
			}
			all := policies(t)
			i := slices.IndexFunc(all, func(p Policy) bool { return p.Name == name })
			if i < 0 {
				d.Fatalf(t, "unknown policy %q", name)
			}
			top, err := topology.Parse([]byte(d.Input))
			if err != nil {
				return err.Error() + "\n"
			}
			story, err := Tell(context.Background(), Config{Topology: top, Profile: camera(), Policy: all[i], Seed: 1})
			if err != nil {
				return err.Error() + "\n"
			}
			return transcript(story.Result)
		})
	})
}

// transcript writes requests and switches in order of time.
func transcript(r *Result) string {
	var b strings.Builder
	switches := r.Switches
	flush := func(until Request) {
		for len(switches) > 0 && switches[0].At <= until.Arrived+until.Latency {
			fmt.Fprintf(&b, "%8.1f ms  %s\n", ms(switches[0].At), switches[0].What)
			switches = switches[1:]
		}
	}
	for i := 0; i < len(r.Requests); {
		q := r.Requests[i]
		flush(Request{Arrived: q.Arrived})
		same := func(o Request) bool {
			return o.Plan == q.Plan && o.Failure == q.Failure && o.Epochs == q.Epochs && o.Latency.Round(1e5) == q.Latency.Round(1e5) &&
				(len(switches) == 0 || o.Arrived < switches[0].At)
		}
		n := 1
		for i+n < len(r.Requests) && same(r.Requests[i+n]) {
			n++
		}
		outcome := fmt.Sprintf("answered after %.1f ms", ms(q.Latency))
		if q.Failure != "" {
			outcome = fmt.Sprintf("failed after %.1f ms: %s", ms(q.Latency), q.Failure)
		}
		if q.Epochs > 1 {
			outcome += fmt.Sprintf(" in %d epochs", q.Epochs)
		}
		who := fmt.Sprintf("request %d", q.ID)
		if n > 1 {
			who = fmt.Sprintf("requests %d-%d", q.ID, q.ID+n-1)
		}
		fmt.Fprintf(&b, "%8.1f ms  %s on %s: %s\n", ms(q.Arrived), who, q.Plan, outcome)
		i += n
	}
	if len(r.Requests) > 0 {
		flush(Request{Arrived: r.Elapsed})
	}
	return b.String()
}
