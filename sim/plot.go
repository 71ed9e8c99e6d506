package sim

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
)

// Sizes of the drawing, in pixels.
const (
	plotWidth, plotHeight = 900, 360
	plotLeft, plotRight   = 70, 20
	plotTop, plotBottom   = 30, 40
	plotTicks             = 5
	plotFont              = `font-family="sans-serif" font-size="12"`
)

// writePlot draws every request of a run as a point, latency over arrival, with the switches as lines. Failed requests are
// crosses at the top.
func (r *Result) writePlot(w io.Writer) error {
	var b strings.Builder
	highest := quantile(r.Latencies(), 1)
	if highest == 0 {
		highest = 1
	}
	step := niceStep(highest)
	highest = math.Ceil(highest/step) * step
	seconds := max(r.Elapsed.Seconds(), 1e-9)
	x := func(s float64) float64 { return plotLeft + s/seconds*(plotWidth-plotLeft-plotRight) }
	y := func(ms float64) float64 { return plotHeight - plotBottom - ms/highest*(plotHeight-plotTop-plotBottom) }
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">`+"\n",
		plotWidth, plotHeight, plotWidth, plotHeight)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="18" %s>%s: latency of each request</text>`+"\n",
		plotLeft, plotFont, html.EscapeString(r.Policy))
	for v := 0.0; v <= highest+step/2; v += step {
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end" %s>%g ms</text>`+"\n",
			plotLeft, plotWidth-plotRight, y(v), y(v), plotLeft-6, y(v)+4, plotFont, v)
	}
	for v, step := 0.0, niceStep(seconds); v <= seconds; v += step {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle" %s>%g s</text>`+"\n", x(v), plotHeight-plotBottom+18, plotFont, v)
	}
	for _, s := range r.Switches {
		at := x(s.At.Seconds())
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#c60" stroke-dasharray="3"><title>%s</title></line>`+"\n",
			at, at, plotTop, plotHeight-plotBottom, html.EscapeString(s.What))
	}
	for _, q := range r.Requests {
		at := x(q.Arrived.Seconds())
		if q.Failure != "" {
			fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="#c00" text-anchor="middle" %s>×<title>%s</title></text>`+"\n",
				at, plotTop, plotFont, html.EscapeString(q.Failure))
			continue
		}
		colour := "#06c"
		if q.Epochs > 1 {
			colour = "#c60"
		}
		fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s"><title>request %d: %.1f ms on %s</title></circle>`+"\n",
			at, y(ms(q.Latency)), colour, q.ID, ms(q.Latency), html.EscapeString(q.Plan))
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// niceStep is 1, 2 or 5 times a power of ten, about a fifth of a range.
func niceStep(span float64) float64 {
	raw := span / plotTicks
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, k := range []float64{1, 2, 5} {
		if k*power >= raw {
			return k * power
		}
	}
	return 10 * power
}
