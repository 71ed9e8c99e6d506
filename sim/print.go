package sim

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	c := r.Comparison
	b := &strings.Builder{}
	var failures []string
	fmt.Fprintf(b, "%s: %s, %d seeds from %d\n\n", c.Topology, c.Model, c.Replications, c.Seed)
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	measured := ""
	if !math.IsNaN(c.MedianError()) {
		measured = "measured\terror\t"
	}
	fmt.Fprintln(t, "way\tpredicted\tsimulated\t95 %\t"+measured+"p90\tp99\tanswers/s\tbytes\tfailed\t  stages\t")
	for _, row := range c.Rows {
		if row.Failure != "" {
			failures = append(failures, row.Name+": "+row.Failure)
			continue
		}
		fmt.Fprintf(t, "%s\t%.1f ms\t%.1f ms\t±%.1f ms\t", row.Name, row.PredictedMS, row.SimulatedMS, row.HalfMS)
		switch {
		case row.MeasuredMS > 0:
			fmt.Fprintf(t, "%.1f ms\t%+.1f %%\t", row.MeasuredMS, row.ErrorPercent)
		case measured != "":
			fmt.Fprint(t, "-\t-\t")
		}
		fmt.Fprintf(t, "%.1f ms\t%.1f ms\t%.1f\t%d\t%d/%d\t  %s\t\n",
			row.P90MS, row.P99MS, row.PerSecond, row.Bytes, row.Failed, row.Requests, row.brief())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, f := range failures {
		fmt.Fprintln(b, f)
	}
	if measured != "" {
		fmt.Fprintf(b, "median error of the simulation against the measurements: %.1f %%\n", c.MedianError())
	}
	if r.Story != nil {
		r.Story.print(b)
	}
	fmt.Fprintf(b, "\n%.0f s of virtual time in %.2f s\n", r.VirtualSeconds, r.WallSeconds)
	_, err := io.WriteString(w, b.String())
	return err
}

// widest is the longest plan that is written out in a table.
const widest = 60

// brief is the plan, or how many stages it has when it is too long to read.
func (r *Row) brief() string {
	if len(r.Plan) <= widest {
		return r.Plan
	}
	var nodes []string
	for _, stage := range strings.Fields(r.Plan) {
		if name, _, ok := strings.Cut(stage, "["); ok && !slices.Contains(nodes, name) {
			nodes = append(nodes, name)
		}
	}
	return fmt.Sprintf("%d stages on %s", r.Stages, strings.Join(nodes, ", "))
}

func (s *Story) print(b *strings.Builder) {
	fmt.Fprintf(b, "\nthe file's events, with the policy %q and seed %d:\n", s.Policy, s.Seed)
	for _, h := range s.Happened {
		fmt.Fprintf(b, "%10.1f ms  %s", h.AtMS, h.What)
		if h.Requests > 0 {
			fmt.Fprintf(b, "  (%d requests from here on, median %.1f ms)", h.Requests, h.MedianMS)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, "%d requests: %d answered, %d of them after another plan; median %.1f ms, worst %.1f ms\n",
		s.Requests, s.Requests-s.Failed, s.Replanned, s.MedianMS, s.WorstMS)
	for why, n := range s.Failures {
		fmt.Fprintf(b, "%d failed: %s\n", n, why)
	}
}
