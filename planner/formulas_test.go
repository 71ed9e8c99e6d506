package planner

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// Each file in testdata/formulas works one formula of the cost model out on round numbers. A problem is a chain:
//
//	chain times=(p0n0/p0n1,p1n0/p1n1) bytes=(input,v1,...) goodput= rtt= overhead= encode= decode= load= speed= power= price= energy=
//	cost place=(0,1)
//
// load, speed, power, price and energy are of node 1 and of both paths.
func TestFormulas(t *testing.T) {
	datadriven.Walk(t, "testdata/formulas", func(t *testing.T, path string) {
		var p *Problem
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "chain":
				p = formulaProblem(t, d)
				return ""
			case "cost":
				var place []NodeID
				for _, a := range d.CmdArgs {
					for _, v := range a.Vals {
						place = append(place, NodeID(figure(t, v)))
					}
				}
				plan, err := Evaluate(p, place, nil)
				if err != nil {
					return err.Error() + "\n"
				}
				c := plan.Cost
				return fmt.Sprintf("latency %v  period %v  energy %g J  price %g  loss %g  bytes %d  memory %v  stages %d\n",
					c.Latency, c.Period, c.Energy, c.Price, c.Loss, c.Bytes, c.Memory, len(plan.Stages))
			}
			d.Fatalf(t, "unknown command %s", d.Cmd)
			return ""
		})
	})
}

func formulaProblem(t *testing.T, d *datadriven.TestData) *Problem {
	var times [][]float64
	var bytes []int64
	path := Path{Goodput: 1}
	node := Node{}
	var coding Coding
	var weights, work int64
	for _, a := range d.CmdArgs {
		switch v := a.Vals; a.Key {
		case "times":
			for _, row := range v {
				var r []float64
				for _, x := range strings.Split(row, "/") {
					r = append(r, figure(t, x))
				}
				times = append(times, r)
			}
		case "bytes":
			for _, x := range v {
				bytes = append(bytes, int64(figure(t, x)))
			}
		case "goodput":
			path.Goodput = figure(t, v[0])
		case "rtt":
			path.RTT = time.Duration(figure(t, v[0]) * 1e9)
		case "overhead":
			path.Overhead = figure(t, v[0])
		case "energy":
			path.Energy = figure(t, v[0])
		case "encode":
			coding.Encode = figure(t, v[0])
		case "decode":
			coding.Decode = figure(t, v[0])
		case "loss":
			coding.Loss = figure(t, v[0])
		case "load":
			node.Load = figure(t, v[0])
		case "speed":
			node.Speed = figure(t, v[0])
		case "power":
			node.Power = figure(t, v[0])
		case "price":
			node.Price = figure(t, v[0])
		case "weights":
			weights = int64(figure(t, v[0]))
		case "work":
			work = int64(figure(t, v[0]))
		default:
			d.Fatalf(t, "unknown field %s", a.Key)
		}
	}
	p := chainOf(times, bytes, path)
	node.Name = p.Nodes[1].Name
	p.Nodes[1] = node
	for v := range p.Values {
		c := &p.Values[v].Codings[0]
		c.Encode, c.Decode, c.Loss = coding.Encode, coding.Decode, coding.Loss
	}
	for i := range p.Pieces {
		p.Pieces[i].Weights, p.Pieces[i].Work = weights, work*int64(i+1)
	}
	return p
}

func figure(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
