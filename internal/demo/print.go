package demo

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	p := &printer{w: w}
	p.nodes(r)
	p.paths(r)
	p.plans(r)
	p.rows(r)
	p.degrade(&r.Degrade)
	p.failover(&r.Failover)
	p.faces(r)
	p.line("\nDone in %.1f s.", r.Seconds)
	return p.err
}

// printer writes sections and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// table writes rows of tab-separated cells, aligned.
func (p *printer) table(header string, rows []string) {
	t := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, header+"\t") // tabwriter keeps errors for Flush
	for _, row := range rows {
		fmt.Fprintln(t, row+"\t")
	}
	if err := t.Flush(); p.err == nil {
		p.err = err
	}
}

func (p *printer) nodes(r *Report) {
	p.line("\nNODES, as %s sees them", self(r))
	var rows []string
	for _, n := range r.Nodes {
		rows = append(rows, fmt.Sprintf("%s\t%s\t%d\tx%.3g\t%s", n.Name, n.State, n.PID, n.Speed, strings.Join(n.Addrs, " ")))
	}
	p.table("node\tstate\tprocess\tspeed\taddress", rows)
}

// self is the name of the node that the demo calls.
func self(r *Report) string {
	for _, n := range r.Nodes {
		if n.Self {
			return n.Name
		}
	}
	return "the entry node"
}

func (p *printer) paths(r *Report) {
	p.line("\nPATHS, configured and measured")
	var rows []string
	for _, path := range r.Paths {
		conf := "-\t-"
		if c := path.Configured; c != nil {
			conf = fmt.Sprintf("%.1f\t%.1f", c.Mbps, 2*c.DelayMS)
		}
		rows = append(rows, fmt.Sprintf("%s > %s\t%s\t%.1f\t%.1f", path.From, path.To, conf, path.Mbps, path.RTTMS))
	}
	p.table("path\tMbps set\tRTT ms set\tMbps\tRTT ms", rows)
}

func (p *printer) plans(r *Report) {
	for _, row := range r.Rows {
		if row.Name != bestOfAll && row.Name != bestStays {
			continue
		}
		p.line("\nPLAN, %s", row.Name)
		p.line("%s", strings.TrimRight(row.Plan.Picture, "\n"))
	}
}

func (p *printer) rows(r *Report) {
	p.line("\nPREDICTED, SIMULATED AND MEASURED, median of %d runs each, taken in turn", r.Rows[0].Runs)
	var rows []string
	for _, row := range r.Rows {
		answer := "bit for bit"
		if !row.Equal {
			answer = fmt.Sprintf("overlap %.2f", row.MinIoU)
		}
		rows = append(rows, fmt.Sprintf("%s\t%d\t%d\t%.1f\t%.1f\t%.1f\t%+.0f%%\t%+.0f%%\t%.1f-%.1f\t%s\t%d",
			row.Name, row.Stages, row.Bytes, row.PredictedMS, row.SimulatedMS, row.MeasuredMS, 100*(row.PredictedMS/row.MeasuredMS-1),
			100*(row.SimulatedMS/row.MeasuredMS-1),
			row.LowMS, row.HighMS, answer, row.Faces))
	}
	p.table("way\tstages\tbytes\tpredicted ms\tsimulated ms\tmeasured ms\terror\terror sim\tp10-p90\tequals unsplit\tfaces", rows)
	p.line("%s", r.Verdict)
	p.line("Where codecs are lossy, every box must overlap the unsplit run's by %.1f (intersection over union) at least.", minOverlap)
}

func (p *printer) degrade(a *Degrade) {
	p.line("\nSECOND ACT: the link %s-%s falls to %.3g Mbps and %.3g ms round trip while requests run", a.Link.From, a.Link.To, a.Link.Mbps, 2*a.Link.DelayMS)
	p.line("The plan changed by itself after %.0f ms (%d requests answered meanwhile).", a.ReactionMS, a.Requests)
	p.line("Median request: %.1f ms before, %.1f ms on the old plan over the bad link, %.1f ms on the new plan:", a.BeforeMS, a.WorseMS, a.AfterMS)
	p.line("%s", strings.TrimRight(a.After.Picture, "\n"))
}

func (p *printer) failover(a *Failover) {
	p.line("\nTHIRD ACT: node %s (process %d) gets SIGKILL %.1f ms into a request", a.Killed, a.PID, a.KilledAt)
	p.line("The request completed in %.1f ms (usually %.1f ms), replanned %d time(s); its boxes overlap the unsplit run's by %.2f.",
		a.TotalMS, a.UsualMS, a.Replans, a.MinIoU)
	for _, e := range a.Events {
		p.line("  %s", e)
	}
}

func (p *printer) faces(r *Report) {
	p.line("\nFACES")
	for _, f := range r.Faces {
		p.line("  score %.2f at (%d, %d)-(%d, %d)", f.Score, f.Left, f.Top, f.Right, f.Bottom)
	}
	if r.Picture != "" {
		p.line("The photograph with the boxes: %s", r.Picture)
	}
}
