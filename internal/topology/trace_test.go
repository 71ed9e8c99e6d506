package topology

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestReadTrace(t *testing.T) {
	got, err := ReadTrace(strings.NewReader("0.5\t2\n1.5\t4\n\n2.5\t0\n"), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at, until time.Duration
		rate      Rate
	}{
		{0, 1500 * time.Millisecond, 20e6},
		{1500 * time.Millisecond, 2500 * time.Millisecond, 40e6},
		{3 * time.Second, 3500 * time.Millisecond, 0},
		{4 * time.Second, 5 * time.Second, 20e6}, // the second round
	} {
		if rate, until := got.At(tt.at); rate != tt.rate || until != tt.until {
			t.Errorf("At(%v) = %v until %v, want %v until %v", tt.at, rate, until, tt.rate, tt.until)
		}
	}
	if mean := got.Mean(); mean != 20e6 { // 1.5 s of 20, 1 s of 40, 1 s of 0 Mbps
		t.Errorf("mean is %v", mean)
	}
}

func TestReadMahimahi(t *testing.T) {
	got, err := ReadTrace(strings.NewReader("0\n10\n10\n250\n"), 1)
	if err != nil {
		t.Fatal(err)
	}
	if got.Period != 300*time.Millisecond || len(got.Steps) != 3 {
		t.Fatalf("read %+v", got)
	}
	if rate, _ := got.At(50 * time.Millisecond); rate != 3*1500*8*10 {
		t.Errorf("rate is %v", float64(rate))
	}
	if rate, _ := got.At(150 * time.Millisecond); rate != 0 {
		t.Errorf("rate is %v", float64(rate))
	}
}

func TestReadTraceErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":             "it is empty",
		"0 1\n0 2\n":   "line 2: a second rate",
		"0 1\n5\n":     "line 2: want",
		"1 2 3\n":      "line 1: want",
		"a\n":          "line 1: \"a\" is not a time",
		"5\n4\n":       "line 2: \"4\" is not a time from 5 on",
		"0 -1\n":       "line 1: \"-1\" is not a rate",
		"0 0\n1 0\n":   "its rate is 0 throughout",
		"1e300\n":      "line 1",
		"2591999999\n": "longer than",
	} {
		_, err := ReadTrace(strings.NewReader(text), 1)
		if !errors.Is(err, ErrTrace) || !strings.Contains(err.Error(), want) {
			t.Errorf("trace %q: error is %v, want %q", text, err, want)
		}
	}
}

func FuzzReadTrace(f *testing.F) {
	f.Add("0.5\t2\n1.5\t4\n")
	f.Add("0\n10\n10\n250\n")
	f.Fuzz(func(t *testing.T, text string) {
		tr, err := ReadTrace(strings.NewReader(text), 1)
		if err != nil {
			return
		}
		if rate, until := tr.At(tr.Period + 1); rate < 0 || until <= tr.Period {
			t.Fatalf("at %v the rate is %v until %v", tr.Period+1, rate, until)
		}
	})
}
