package planner

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// The picture is well-formed whatever things are called, and no bar covers another (but for a pixel, the least width) or leaves the canvas.
func TestSVG(t *testing.T) {
	p := storyProblem()
	p.Model = "a <story> & more"
	p.Nodes[1].Name = strings.Repeat("edge & ", 9)
	plan := storyPlan(t, p, 0, 1, 2, 0, 1)
	plan.Transfers = append(plan.Transfers, plan.Transfers...) // two values at once on each path
	text := SVG(p, plan)
	if !strings.Contains(text, "a &lt;story&gt; &amp; more: Split into") {
		t.Errorf("got\n%s", text)
	}
	type box struct{ x, y, w, h float64 }
	var canvas box
	var boxes []box
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if token == nil {
			if err.Error() != "EOF" {
				t.Fatalf("%v in\n%s", err, text)
			}
			break
		}
		e, ok := token.(xml.StartElement)
		if ok && e.Name.Local == "text" && e.Attr[2].Value == "end" {
			name, err := d.Token()
			if x, _ := strconv.Atoi(e.Attr[0].Value); err != nil || x < 7*utf8.RuneCount(name.(xml.CharData)) {
				t.Errorf("%s begins left of the canvas", name)
			}
		}
		if !ok || e.Name.Local != "rect" && e.Name.Local != "svg" || len(e.Attr) > 0 && e.Attr[0].Value == "100%" {
			continue
		}
		var b box
		for _, a := range e.Attr {
			for name, to := range map[string]*float64{"x": &b.x, "y": &b.y, "width": &b.w, "height": &b.h} {
				if a.Name.Local == name {
					fmt.Sscan(a.Value, to)
				}
			}
		}
		if e.Name.Local == "svg" {
			canvas = b
		} else {
			boxes = append(boxes, b)
		}
	}
	for i, a := range boxes {
		if a.x < 0 || a.y < 0 || a.x+a.w > canvas.w || a.y+a.h > canvas.h {
			t.Errorf("%+v leaves %+v", a, canvas)
		}
		for _, b := range boxes[:i] {
			if a.x+1.1 < b.x+b.w && b.x+1.1 < a.x+a.w && a.y < b.y+b.h && b.y < a.y+a.h {
				t.Errorf("%+v covers %+v", a, b)
			}
		}
	}
	if len(boxes) < 8 {
		t.Errorf("%d bars", len(boxes))
	}
}
