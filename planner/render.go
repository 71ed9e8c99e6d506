package planner

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Label says what to write for a value that travels: its shape and type, say. Nil stands for the value's name.
type Label func(ValueID) string

// Notes are what a page on a plan says beyond the plan itself. The zero value adds nothing.
type Notes struct {
	// Label names the values that travel; nil stands for their names.
	Label Label
	// Remarks are whole lines: on operator splits or early exits, say.
	Remarks string
	// Others are what other planners found.
	Others []Alternative
}

// Render is the plan as text, what matters most first: where it runs, what it costs and how well that is proven, a timeline, what limits
// it, the runners-up, and then each stage with the values that go between them.
func Render(p *Problem, plan *Plan, notes Notes) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s.\n\n%s\n%s%s%s", verdict(p, plan), headline(p, plan), Gantt(p, plan), explain(p, plan), notes.Remarks, runnersUp(p, plan, notes.Others))
	fmt.Fprintf(&b, "\n%s", Picture(p, plan, notes.Label))
	return b.String()
}

// Summary is one line: objective, proof, solver.
func Summary(p *Problem, plan *Plan) string {
	q := plan.Proof
	return fmt.Sprintf("%s [%s, %s, %s]", headline(p, plan), q.Solver, round(q.Elapsed), count(q.Explored, "step"))
}

// headline is the objective and what is proven of it.
func headline(p *Problem, plan *Plan) string {
	q, s := plan.Proof, formatObjective(p.Objective, plan.Objective)
	switch p.Objective {
	case Throughput:
		s = "an answer every " + s
	case Energy:
		s += " per request"
	default:
		s = string(p.Objective) + " " + s
	}
	if slices.ContainsFunc(p.Values, func(v Value) bool { return v.Exit > 0 }) {
		s = "expected " + s
	}
	form := ""
	if q.Form != "" {
		form = " among " + q.Form
	}
	switch {
	case q.Optimal:
		return s + ", proven optimal" + form
	case q.Bound > 0:
		return s + fmt.Sprintf(", gap%s at most %.1f %% (bound %s)", form, 100*q.Gap, formatObjective(p.Objective, q.Bound))
	}
	return s + ", with no proof"
}

func formatObjective(o Objective, v float64) string {
	switch o {
	case Latency, Throughput:
		return round(seconds(v)).String()
	case Energy:
		return fmt.Sprintf("%.4g J", v)
	default:
		return fmt.Sprintf("%.4g", v)
	}
}

// round keeps four figures or so.
func round(d time.Duration) time.Duration {
	for unit := time.Duration(1); unit < time.Hour; unit *= 10 {
		if d < 10_000*unit {
			return d.Round(unit)
		}
	}
	return d.Round(time.Second)
}

// maxName is how many characters of a piece's or value's name a picture shows.
const maxName = 36

// Short is a name for a picture: one that is too long keeps its end, which is what tells names of one model apart.
func Short(name string) string {
	r := []rune(name)
	if len(r) <= maxName {
		return name
	}
	tail := string(r[len(r)-maxName+1:])
	if i := strings.IndexByte(tail, '/'); i >= 0 && i < maxName/2 {
		tail = tail[i:]
	}
	return "…" + tail
}

// maxBoxes is the most stages that are drawn in boxes; more have a line each.
const maxBoxes = 8

// Picture draws the stages top to bottom in the order in which they run, each value that travels above the stage it goes to.
func Picture(p *Problem, plan *Plan, label Label) string {
	if label == nil {
		label = func(v ValueID) string { return Short(p.Values[v].Name) }
	}
	boxes := len(plan.Stages) <= maxBoxes
	var b strings.Builder
	hop := func(t Transfer) {
		c := p.Values[t.Value].Codings[t.Coding]
		what := fmt.Sprintf("%s  %s  %s", label(t.Value), c.Codec, bytesText(c.Bytes))
		way := fmt.Sprintf("%s ─▶ %s  %s to %s", p.Nodes[t.From].Name, p.Nodes[t.To].Name, round(t.Start), round(t.End))
		if boxes {
			fmt.Fprintf(&b, "   │ %s\n   │ %s\n   ▼\n", what, way)
		} else {
			fmt.Fprintf(&b, "       %s  %s\n", way, what)
		}
	}
	arrived := map[Hop]bool{}
	for k, s := range plan.Stages {
		for _, t := range plan.Transfers {
			if t.To == s.Node && !arrived[Hop{t.Value, t.To}] && reads(p, s, t.Value) {
				arrived[Hop{t.Value, t.To}] = true
				hop(t)
			}
		}
		name := p.Nodes[s.Node].Name
		what, when := fmt.Sprintf("%s  %s", count(len(s.Pieces), "piece"), span(p, s)), fmt.Sprintf("%s to %s", round(s.Start), round(s.End))
		if boxes {
			writeBox(&b, fmt.Sprintf(" %d  %s ", k+1, name), []string{what, when})
		} else {
			fmt.Fprintf(&b, "%3d  %s  %s  %s\n", k+1, name, when, what)
		}
	}
	for _, t := range plan.Transfers {
		if !arrived[Hop{t.Value, t.To}] {
			hop(t)
		}
	}
	fmt.Fprintf(&b, "   answer at %s after %s\n", p.Nodes[p.Sink].Name, round(plan.Cost.Latency))
	return b.String()
}

func reads(p *Problem, s Stage, v ValueID) bool {
	return slices.ContainsFunc(p.Values[v].Consumers, func(c PieceID) bool { return slices.Contains(s.Pieces, c) })
}

func span(p *Problem, s Stage) string {
	first, last := Short(p.Pieces[s.Pieces[0]].Name), Short(p.Pieces[s.Pieces[len(s.Pieces)-1]].Name)
	if len(s.Pieces) == 1 {
		return first
	}
	return first + " to " + last
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func writeBox(b *strings.Builder, title string, lines []string) {
	width := utf8.RuneCountInString(title)
	for _, l := range lines {
		width = max(width, utf8.RuneCountInString(l)+2)
	}
	fmt.Fprintf(b, "┌─%s%s┐\n", title, strings.Repeat("─", width-utf8.RuneCountInString(title)))
	for _, l := range lines {
		fmt.Fprintf(b, "│ %s%s│\n", l, strings.Repeat(" ", width-utf8.RuneCountInString(l)))
	}
	fmt.Fprintf(b, "└%s┘\n", strings.Repeat("─", width+1))
}

// bytesText writes a size in binary units.
func bytesText(n int64) string {
	v, unit := float64(n), "B"
	for _, u := range []string{"KiB", "MiB", "GiB"} {
		if v < 1024 {
			break
		}
		v, unit = v/1024, u
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}

// ganttWidth is the number of columns of a timeline.
const ganttWidth = 64

// bar is one interval of a row of the timeline.
type bar struct {
	from, to time.Duration
	text     string
	detail   string // what there is to say of it beside text and time
}

// row is a node's or a link's line on the timeline.
type row struct {
	name string
	link bool
	bars []bar
}

// rows are the nodes that compute, then the links that carry, each with what it does when.
func rows(p *Problem, plan *Plan) []row {
	nodes, links := make([]row, len(p.Nodes)), map[[2]NodeID]*row{}
	for k, s := range plan.Stages {
		nodes[s.Node].bars = append(nodes[s.Node].bars, bar{s.Start, s.End, fmt.Sprint(k + 1), count(len(s.Pieces), "piece") + ", " + span(p, s)})
	}
	var out []row
	for n := range nodes {
		nodes[n].name = p.Nodes[n].Name
		if len(nodes[n].bars) > 0 {
			out = append(out, nodes[n])
		}
	}
	var order [][2]NodeID
	for _, t := range plan.Transfers {
		key := [2]NodeID{t.From, t.To}
		if links[key] == nil {
			links[key] = &row{name: p.Nodes[t.From].Name + "→" + p.Nodes[t.To].Name, link: true}
			order = append(order, key)
		}
		c := p.Values[t.Value].Codings[t.Coding]
		links[key].bars = append(links[key].bars, bar{t.Start, t.End, Short(p.Values[t.Value].Name), c.Codec + ", " + bytesText(c.Bytes)})
	}
	slices.SortFunc(order, func(a, b [2]NodeID) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	for _, key := range order {
		out = append(out, *links[key])
	}
	return out
}

// Gantt draws the timeline: a row per node that computes and per link that carries, time from left to right.
func Gantt(p *Problem, plan *Plan) string {
	all := rows(p, plan)
	end, width := plan.Cost.Latency, 0
	for _, r := range all {
		width = max(width, utf8.RuneCountInString(r.name))
	}
	if end <= 0 {
		return ""
	}
	column := func(d time.Duration) int { return min(ganttWidth, int(float64(d)/float64(end)*ganttWidth+0.5)) }
	var b strings.Builder
	for _, r := range all {
		cells := []rune(strings.Repeat("·", ganttWidth))
		for _, x := range r.bars {
			from := min(column(x.from), ganttWidth-1)
			to := max(column(x.to), from+1)
			for c := from; c < to; c++ {
				cells[c] = '█'
				if r.link {
					cells[c] = '▒'
				}
			}
			if !r.link && to-from > len(x.text) {
				copy(cells[from:], []rune(x.text))
			}
		}
		fmt.Fprintf(&b, "%s%s  %s\n", strings.Repeat(" ", width-utf8.RuneCountInString(r.name)), r.name, string(cells))
	}
	last := round(end).String()
	fmt.Fprintf(&b, "%s  0%s%s\n", strings.Repeat(" ", width), strings.Repeat(" ", max(1, ganttWidth-1-len(last))), last)
	return b.String()
}
