package main

import (
	"fmt"
	"html"
	"math"
	"os"
	"strings"
)

// point is a labelled point of a plot; line a labelled row of points.
type (
	point struct {
		label string
		x, y  float64
	}
	line struct {
		label  string
		points []point
	}
)

// The plots' size and margins in pixels.
const (
	width, height      = 860, 480
	left, right        = 70, 200
	top, bottom        = 40, 50
	drawWide, drawHigh = width - left - right, height - top - bottom
)

var colours = []string{
	"#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#17becf", "#e377c2", "#7f7f7f", "#bcbd22", "#000000", "#4daf4a",
}

// axis maps values to pixels, on a logarithmic scale when log.
type axis struct {
	lo, hi float64
	log    bool
}

func newAxis(values []float64, log bool) axis {
	a := axis{math.Inf(1), math.Inf(-1), log}
	for _, v := range values {
		a.lo, a.hi = min(a.lo, v), max(a.hi, v)
	}
	if log {
		a.lo, a.hi = math.Pow(10, math.Floor(math.Log10(a.lo))), math.Pow(10, math.Ceil(math.Log10(a.hi)))
	} else {
		a.lo, a.hi = min(a.lo, 0), max(a.hi*1.05, a.lo+1e-9)
	}
	return a
}

func (a axis) at(v float64) float64 {
	if a.log {
		return (math.Log10(v) - math.Log10(a.lo)) / (math.Log10(a.hi) - math.Log10(a.lo))
	}
	return (v - a.lo) / (a.hi - a.lo)
}

func (a axis) ticks() []float64 {
	var list []float64
	if a.log {
		for v := a.lo; v <= a.hi*1.001; v *= 10 {
			list = append(list, v)
		}
		return list
	}
	step := math.Pow(10, math.Floor(math.Log10(a.hi-a.lo)))
	for (a.hi-a.lo)/step < 5 {
		step /= 2
	}
	for v := a.lo; v <= a.hi; v += step {
		list = append(list, v)
	}
	return list
}

// canvas begins an SVG with title, axes and grid.
func canvas(title, xLabel, yLabel string, x, y axis) *strings.Builder {
	b := &strings.Builder{}
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(b, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="22" font-size="15">%s</text>`+"\n", left, html.EscapeString(title))
	for _, v := range x.ticks() {
		px := left + x.at(v)*drawWide
		fmt.Fprintf(b, `<path d="M%.1f %d V%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%.4g</text>`+"\n", px, top, top+drawHigh, px, top+drawHigh+16, v)
	}
	for _, v := range y.ticks() {
		py := top + (1-y.at(v))*drawHigh
		fmt.Fprintf(b, `<path d="M%d %.1f H%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.4g</text>`+"\n", left, py, left+drawWide, left-6, py+4, v)
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", left+drawWide/2, height-12, html.EscapeString(xLabel))
	fmt.Fprintf(b, `<text transform="translate(16 %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n", top+drawHigh/2, html.EscapeString(yLabel))
	return b
}

func finish(b *strings.Builder, path string) error {
	b.WriteString("</svg>\n")
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// plot draws labelled points; the y axis is logarithmic when log.
func plot(path, title, xLabel, yLabel string, points []point, log bool) error {
	var xs, ys []float64
	for _, p := range points {
		xs, ys = append(xs, p.x), append(ys, p.y)
	}
	x, y := newAxis(xs, false), newAxis(ys, log)
	b := canvas(title, xLabel, yLabel, x, y)
	for i, p := range points {
		px, py, colour := left+x.at(p.x)*drawWide, top+(1-y.at(p.y))*drawHigh, colours[i%len(colours)]
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`+"\n", px, py, colour)
		ly := top + 4 + i*19
		fmt.Fprintf(b, `<circle cx="%d" cy="%d" r="4" fill="%s"/><text x="%d" y="%d" font-size="11">%s</text>`+"\n", left+drawWide+14, ly, colour, left+drawWide+24, ly+4, html.EscapeString(p.label))
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" font-size="9" fill="%s">%s</text>`+"\n", px+6, py-4, colour, html.EscapeString(p.label))
	}
	return finish(b, path)
}

// plotLines draws rows of points.
func plotLines(path, title, xLabel, yLabel string, lines []line) error {
	var xs, ys []float64
	for _, l := range lines {
		for _, p := range l.points {
			xs, ys = append(xs, p.x), append(ys, p.y)
		}
	}
	if len(xs) == 0 {
		return nil
	}
	x, y := newAxis(xs, false), newAxis(ys, false)
	b := canvas(title, xLabel, yLabel, x, y)
	for i, l := range lines {
		colour := colours[i%len(colours)]
		var d strings.Builder
		for k, p := range l.points {
			px, py := left+x.at(p.x)*drawWide, top+(1-y.at(p.y))*drawHigh
			fmt.Fprintf(&d, "%c%.1f %.1f", "ML"[min(k, 1)], px, py)
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", px, py, colour)
		}
		ly := top + 4 + i*19
		fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s"/><path d="M%d %d h14" stroke="%s"/><text x="%d" y="%d" font-size="11">%s</text>`+"\n",
			d.String(), colour, left+drawWide+10, ly, colour, left+drawWide+28, ly+4, html.EscapeString(l.label))
	}
	return finish(b, path)
}
