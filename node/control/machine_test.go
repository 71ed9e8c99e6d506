package control

import (
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// The transcripts in testdata read as stories: a look per command, the machine's decision below it.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		m := New(Config{})
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "machine":
				var c Config
				for _, a := range d.CmdArgs {
					switch a.Key {
					case "gain":
						c.Gain = number(t, a.Vals[0])
					case "confirm":
						c.Confirm = int(number(t, a.Vals[0]))
					case "dwell":
						c.Dwell = duration(t, a.Vals[0])
					case "quantile":
						c.Quantile = number(t, a.Vals[0])
					case "horizon":
						c.Horizon = duration(t, a.Vals[0])
					case "stale":
						c.Stale = duration(t, a.Vals[0])
					case "probe-every":
						c.ProbeEvery = duration(t, a.Vals[0])
					default:
						d.Fatalf(t, "unknown setting %s", a.Key)
					}
				}
				m = New(c)
				return ""
			case "look":
				got := m.Look(view(t, d))
				s := string(got.Action)
				if got.To != "" {
					s += " to " + got.To
				}
				s += ": " + got.Reason
				if got.Probe != "" {
					s += "; probe " + got.Probe
				}
				return s + "\n"
			}
			d.Fatalf(t, "unknown command %s", d.Cmd)
			return ""
		})
	})
}

// view reads at=10s current=(id,ms,±ms) other=(id,ms,±ms,move ms) path=(name,seen,best ms) rate=1.
func view(t *testing.T, d *datadriven.TestData) View {
	v := View{Rate: 1}
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "at":
			v.Now = duration(t, a.Vals[0])
		case "rate":
			v.Rate = number(t, a.Vals[0])
		case "current":
			v.Current = candidate(t, a.Vals)
		case "other":
			v.Others = append(v.Others, candidate(t, a.Vals))
		case "path":
			v.Paths = append(v.Paths, Path{Name: a.Vals[0], Seen: duration(t, a.Vals[1]), Best: number(t, a.Vals[2]) / 1000})
		case "used":
			v.Paths = append(v.Paths, Path{Name: a.Vals[0], Used: true})
		default:
			d.Fatalf(t, "unknown field %s", a.Key)
		}
	}
	return v
}

func candidate(t *testing.T, vals []string) Candidate {
	c := Candidate{ID: vals[0], Latency: number(t, vals[1]) / 1000}
	if len(vals) > 2 {
		c.Deviation = number(t, vals[2]) / 1000
	}
	if len(vals) > 3 {
		c.Move = number(t, vals[3]) / 1000
	}
	return c
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	v, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEstimateFollowsItsSamples(t *testing.T) {
	var e Estimate
	if e.Deviation(0, time.Minute) != 0 {
		t.Error("an estimate of nothing has a deviation")
	}
	for k := range 100 {
		e = e.Observe(time.Duration(k)*time.Second, 10+float64(k%2))
	}
	if math.Abs(e.Mean-10.5) > 0.2 || math.Abs(math.Sqrt(e.Variance)-0.5) > 0.1 {
		t.Errorf("mean %v, deviation %v of samples 10 and 11", e.Mean, math.Sqrt(e.Variance))
	}
	fresh, old := e.Deviation(99*time.Second, time.Minute), e.Deviation(300*time.Second, time.Minute)
	if old <= fresh {
		t.Errorf("deviation %v when fresh, %v when old", fresh, old)
	}
	if got := e.Observe(0, math.NaN()); got != e {
		t.Error("a sample that is not a number counted")
	}
}

func TestQuantiles(t *testing.T) {
	for _, c := range []struct{ q, want float64 }{{0.5, 0}, {0.9, 1.281552}, {0.99, 2.326348}} {
		if got := deviations(c.q); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("quantile %v lies %v deviations up, want %v", c.q, got, c.want)
		}
	}
}

// A path estimate that swings within the deviation does not make the machine switch to and fro.
func TestNoiseDoesNotCauseFlapping(t *testing.T) {
	m := New(Config{})
	current, switches := 0, 0
	for k := range 1000 {
		lat := []float64{0.100, 0.100}
		lat[k%2] *= 1.3
		d := m.Look(View{
			Now: time.Duration(k) * time.Second, Rate: 1,
			Current: Candidate{ID: fmt.Sprint(current), Latency: lat[current]},
			Others:  []Candidate{{ID: fmt.Sprint(1 - current), Latency: lat[1-current]}},
		})
		if d.Action == Switch {
			switches++
			current = 1 - current
		}
	}
	if switches > 0 {
		t.Errorf("%d switches", switches)
	}
}
