package lab

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	b := &strings.Builder{}
	fmt.Fprintf(b, "%s: %s on real processes\n\n", r.Topology, r.Model)
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "way\tstages\tbytes\tpredicted\tsimulated\tmeasured\tp10-p90\tsimulation off by\t")
	for _, row := range r.Rows {
		fmt.Fprintf(t, "%s\t%d\t%d\t%.1f ms\t%.1f ms\t%.1f ms\t%.1f-%.1f\t%+.1f %%\t\n", row.Name, row.Stages, row.Bytes,
			row.PredictedMS, row.SimulatedMS, row.MeasuredMS, row.LowMS, row.HighMS, row.ErrorPercent)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(b, "median error of the simulation: %.1f %%\n", r.MedianErrorPercent)
	if s := r.Story; s != nil {
		b.WriteString("\nwith the file's events:\n")
		for _, h := range s.Happened {
			fmt.Fprintln(b, "  "+h)
		}
		s.Measured.print(b, "measured ")
		s.Simulated.print(b, "simulated")
	}
	fmt.Fprintf(b, "\ndone in %.1f s\n", r.Seconds)
	_, err := io.WriteString(w, b.String())
	return err
}

func (o *Outcome) print(b *strings.Builder, name string) {
	fmt.Fprintf(b, "%s: %d of %d requests answered, %d after another plan; median %.1f ms, worst %.1f ms\n",
		name, o.Requests-o.Failed, o.Requests, o.Replanned, o.MedianMS, o.WorstMS)
}
