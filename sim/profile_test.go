package sim

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/planner"
)

func TestProfileErrors(t *testing.T) {
	for text, want := range map[string]string{
		``:              "EOF",
		`{"format":9}`:  "format is 9",
		`{"formt":1}`:   "unknown field",
		`{"format":1}`:  "0 pieces",
		`{"format":1}{`: "something follows",
		`{"format":1,"pieces":[{"name":"a","seconds":-1}]}`:                                       "seconds is -1",
		`{"format":1,"pieces":[{"name":"a","seconds":1,"in":[3]}]}`:                               "value 3 of 0",
		`{"format":1,"spread":2,"pieces":[{"name":"a","seconds":1}]}`:                             "spread 2",
		`{"format":1,"pieces":[{"name":"a","seconds":1}],"nodes":[{"name":"n","seconds":[1,2]}]}`: "n has 2 times of 1 pieces",
	} {
		_, err := ParseProfile([]byte(text))
		if !errors.Is(err, ErrProfile) || !strings.Contains(err.Error(), want) {
			t.Errorf("profile %s: error is %v, want %q", text, err, want)
		}
	}
}

// TestProfileOf takes a problem apart and puts it together again.
func TestProfileOf(t *testing.T) {
	top := parse(t, three)
	p, err := Problem(top, camera(), policies(t)[4])
	if err != nil {
		t.Fatal(err)
	}
	got, err := ProfileOf(p)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Pieces) != 5 || len(got.Nodes) != 3 || len(got.Values[0].Codings) != 2 {
		t.Fatalf("profile is %+v", got)
	}
	for i, piece := range got.Pieces {
		if math.Abs(piece.Seconds-camera().Pieces[i].Seconds) > 1e-12 {
			t.Errorf("piece %d takes %g s, want %g", i, piece.Seconds, camera().Pieces[i].Seconds)
		}
	}
	p.Pieces[0].Time = []float64{math.Inf(1), math.Inf(1), math.Inf(1)}
	if _, err := ProfileOf(p); err == nil {
		t.Error("a problem that no node can run has a profile")
	}
}

// TestRawStays keeps a value at home that still shows the input.
func TestRawStays(t *testing.T) {
	prof := camera()
	prof.Values[1].Raw = true
	p, err := Problem(parse(t, three), prof, policies(t)[4])
	if err != nil {
		t.Fatal(err)
	}
	if p.Values[0].Stay == nil || p.Values[1].Stay == nil || p.Values[2].Stay != nil {
		t.Errorf("values may be at %v, %v, %v", p.Values[0].Stay, p.Values[1].Stay, p.Values[2].Stay)
	}
	again := camera()
	again.MarkRaw(p)
	if !again.Values[1].Raw || again.Values[2].Raw {
		t.Errorf("marked %v, %v", again.Values[1].Raw, again.Values[2].Raw)
	}
}

func FuzzParseProfile(f *testing.F) {
	var b bytes.Buffer
	if err := camera().Write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseProfile(data)
		if err != nil {
			return
		}
		for _, piece := range p.Pieces { // whatever is accepted is safe to index
			for _, v := range append(append([]planner.ValueID{}, piece.In...), piece.Out...) {
				_ = p.Values[v]
			}
		}
	})
}
