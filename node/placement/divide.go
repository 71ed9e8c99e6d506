package placement

import (
	"math"
	"strings"

	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
)

// copySeconds is the least seconds per byte that a Slice or Concat takes on a machine of speed 1, where the border of a profile is not
// larger: 8 GB/s.
const copySeconds = 1.0 / 8e9

// Divided is the question about the same model with divided blocks. Nothing of it has been measured as it stands, so its figures are
// derived:
//
//	part of a group    seconds of the group x share of it, halo included
//	Slice, Concat      bytes made x Border of the machine's profile, at least copySeconds, / speed
//	part of a value    bytes, encode and decode of the value x share; its loss too, so that the parts' losses add up to the value's
//
// Codecs for pictures, and tables that were fitted to a whole value, are not for parts.
func (q *Question) Divided(d *split.Divided) *Question {
	out := *q
	out.Graph = d.Graph
	out.Machines = make([]Machine, len(q.Machines))
	for i, m := range q.Machines {
		profiles := m.Profiles
		m.Profiles = nil
		for _, p := range profiles {
			if len(p.Groups) == len(q.Graph.Groups) {
				m.Profiles = append(m.Profiles, p.Divided(d, m.Speed))
			}
		}
		out.Machines[i] = m
	}
	out.Codings = func(v split.ValueID) []planner.Coding {
		o := d.Values[v]
		if o.Value < 0 {
			return nil
		}
		return partCodings(q.Codings(o.Value), o.Share)
	}
	return &out
}

// Divided is the profile of a divided graph that follows from that of the whole one, on a machine of the given speed (0 means 1).
func (p *Profile) Divided(d *split.Divided, speed float64) Profile {
	if speed == 0 {
		speed = 1
	}
	out := *p
	out.Total = 0
	out.Groups = make([]float64, len(d.Groups))
	for i, o := range d.Groups {
		if o.Group >= 0 {
			out.Groups[i] = p.Groups[o.Group] * o.Share
		} else {
			moved := max(d.Graph.GroupCost(split.GroupID(i)).Written, 0)
			out.Groups[i] = float64(moved) * max(p.Border, copySeconds) / speed
		}
		out.Total += out.Groups[i]
	}
	return out
}

// partCodings are the ways in which a share of a value may travel.
func partCodings(codings []planner.Coding, share float64) []planner.Coding {
	if share == 1 {
		return codings
	}
	var out []planner.Coding
	for _, c := range codings {
		if strings.HasPrefix(c.Codec, "jpeg") || strings.HasPrefix(c.Codec, "png") || strings.Contains(c.Codec, "table=") {
			continue
		}
		c.Bytes = int64(math.Ceil(float64(c.Bytes) * share))
		c.Encode, c.Decode, c.Loss = c.Encode*share, c.Decode*share, c.Loss*share
		out = append(out, c)
	}
	return out
}
