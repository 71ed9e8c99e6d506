package planner

import (
	"fmt"
	"html"
	"strings"
)

// Sizes of the SVG timeline, in pixels.
const (
	svgLeft, svgRow, svgChart, svgTop = 150, 34, 760, 60
)

// SVG is the plan's timeline as a picture: a row per node and per link.
func SVG(p *Problem, plan *Plan) string {
	all := rows(p, plan)
	height := svgTop + svgRow*len(all) + 40
	end := max(plan.Cost.Latency.Seconds(), 1e-12)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="13">`+"\n", svgLeft+svgChart+30, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#ffffff"/><text x="12" y="26" font-size="15">%s</text>`+"\n", html.EscapeString(Summary(p, plan)))
	for k := range 6 {
		x := svgLeft + svgChart*k/5
		fmt.Fprintf(&b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#dddddd"/><text x="%d" y="%d" text-anchor="middle" fill="#666666">%s</text>`+"\n",
			x, svgTop-8, x, height-34, x, height-14, round(seconds(end*float64(k)/5)))
	}
	for k, r := range all {
		y := svgTop + svgRow*k
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", svgLeft-10, y+19, html.EscapeString(r.name))
		fill := "#2f6fb0"
		if r.link {
			fill = "#e2a03f"
		}
		for _, x := range r.bars {
			from := float64(svgLeft) + svgChart*x.from.Seconds()/end
			wide := max(1, svgChart*(x.to-x.from).Seconds()/end)
			fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" rx="3" fill="%s"><title>%s</title></rect>`+"\n",
				from, y+4, wide, svgRow-10, fill, html.EscapeString(fmt.Sprintf("%s: %s to %s", x.text, round(x.from), round(x.to))))
			if wide > float64(9*len(x.text)) {
				fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="#ffffff">%s</text>`+"\n", from+5, y+19, html.EscapeString(x.text))
			}
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}
