package planner

import (
	"fmt"
	"html"
	"strings"
	"time"
	"unicode/utf8"
)

// Sizes of the SVG timeline, in pixels. Characters are taken to be svgLetter wide.
const (
	svgChart, svgTop, svgBar, svgLane, svgGap, svgLetter = 760, 74, 24, 9, 10, 8
)

// SVG is the plan's timeline as a picture: a row per node and per link. What overlaps on a link is drawn in lanes, and what a bar is can be
// read by pointing at it.
func SVG(p *Problem, plan *Plan) string {
	all := rows(p, plan)
	left, height := 100, svgTop+40
	for _, r := range all {
		left = max(left, 24+svgLetter*utf8.RuneCountInString(r.name))
		height += svgGap + rowHeight(r.bars)
	}
	end := max(plan.Cost.Latency.Seconds(), 1e-12)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="13">`+"\n", left+svgChart+40, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#ffffff"/><text x="12" y="26" font-size="15">%s</text><text x="12" y="48" fill="#666666">%s</text>`+"\n",
		html.EscapeString(p.Model+": "+verdict(p, plan)), html.EscapeString(Summary(p, plan)))
	for k := range 6 {
		x := left + svgChart*k/5
		fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#dddddd"/><text x="%d" y="%d" text-anchor="middle" fill="#666666">%s</text>`+"\n",
			x, svgTop-8, x, height-34, x, height-14, round(seconds(end*float64(k)/5)))
	}
	y := svgTop
	for _, r := range all {
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", left-10, y+rowHeight(r.bars)/2+5, html.EscapeString(r.name))
		fill := "#2f6fb0"
		if r.link {
			fill = "#e2a03f"
		}
		lane, lanes := inLanes(r.bars)
		for k, x := range r.bars {
			tall := rowHeight(r.bars) / lanes
			from, top := float64(left)+svgChart*x.from.Seconds()/end, y+tall*lane[k]
			wide := max(1, svgChart*(x.to-x.from).Seconds()/end)
			fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" rx="2" fill="%s"><title>%s</title></rect>`+"\n",
				from, top, wide, tall-1, fill, html.EscapeString(fmt.Sprintf("%s: %s, %s to %s", x.text, x.detail, round(x.from), round(x.to))))
			if tall >= 2*svgLane && wide > float64(svgLetter*(1+utf8.RuneCountInString(x.text))) {
				fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="#ffffff">%s</text>`+"\n", from+5, top+tall/2+5, html.EscapeString(x.text))
			}
		}
		y += svgGap + rowHeight(r.bars)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// inLanes gives each bar a lane in which it overlaps none before it, and counts the lanes.
func inLanes(bars []bar) (lane []int, lanes int) {
	var ends []time.Duration
	for _, x := range bars {
		k := 0
		for k < len(ends) && ends[k] > x.from {
			k++
		}
		if k == len(ends) {
			ends = append(ends, 0)
		}
		ends[k] = x.to
		lane = append(lane, k)
	}
	return lane, max(1, len(ends))
}

// rowHeight is how tall a row is, in pixels.
func rowHeight(bars []bar) int {
	_, lanes := inLanes(bars)
	return max(svgBar, svgLane*lanes)
}
