package shape

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
)

const (
	// MaxTrace is the most steps of a trace.
	MaxTrace = 1 << 20
	// mahimahiPacket is the bytes that one line of a Mahimahi trace delivers.
	mahimahiPacket = 1500
	// mahimahiBin is the width of the steps that a Mahimahi trace is read into.
	mahimahiBin = 100 * time.Millisecond
)

// Step is a rate that holds from At until the next step.
type Step struct {
	At   time.Duration
	Rate float64 // bits per second
}

// Trace is a rate over time that repeats after Period.
type Trace struct {
	steps  []Step
	period time.Duration
	mean   float64 // bits per second
}

// NewTrace makes a trace of steps in ascending order of time, the first at 0.
func NewTrace(steps []Step, period time.Duration) (*Trace, error) {
	if len(steps) == 0 || len(steps) > MaxTrace || steps[0].At != 0 {
		return nil, fmt.Errorf("trace of %d steps (want 1 to %d, the first at 0): %w", len(steps), MaxTrace, ErrLink)
	}
	for i, s := range steps {
		if s.Rate < 0 || math.IsNaN(s.Rate) || math.IsInf(s.Rate, 0) || i > 0 && s.At <= steps[i-1].At {
			return nil, fmt.Errorf("trace step %d (%v, %g bit/s): %w", i, s.At, s.Rate, ErrLink)
		}
	}
	if period <= steps[len(steps)-1].At {
		return nil, fmt.Errorf("trace period %v ends before its last step: %w", period, ErrLink)
	}
	t := &Trace{steps: steps, period: period}
	for i, s := range steps {
		end := period
		if i+1 < len(steps) {
			end = steps[i+1].At
		}
		t.mean += s.Rate * (end - s.At).Seconds() / period.Seconds()
	}
	if t.mean == 0 {
		return nil, fmt.Errorf("trace never carries anything: %w", ErrLink)
	}
	return t, nil
}

// At is the rate at a time since the trace began, and when it next changes.
func (t *Trace) At(d time.Duration) (rate float64, until time.Duration) {
	base := d / t.period * t.period
	off := d - base
	i := sort.Search(len(t.steps), func(i int) bool { return t.steps[i].At > off }) - 1
	if i+1 < len(t.steps) {
		return t.steps[i].Rate, base + t.steps[i+1].At
	}
	return t.steps[i].Rate, base + t.period
}

// Period is the time after which the trace repeats.
func (t *Trace) Period() time.Duration { return t.period }

// ParseMahimahi reads a Mahimahi trace: each line is a millisecond at which one packet of 1,500 bytes may leave. It is
// averaged over steps of 100 ms.
func ParseMahimahi(r io.Reader) (*Trace, error) {
	var bins []float64
	sc := bufio.NewScanner(r)
	last := uint64(0)
	for n := 1; sc.Scan(); n++ {
		text := strings.TrimSpace(sc.Text())
		if text == "" {
			continue
		}
		ms, err := strconv.ParseUint(text, 10, 40)
		if err != nil || ms < last {
			return nil, fmt.Errorf("mahimahi trace line %d: %q is not an ascending millisecond: %w", n, text, ErrLink)
		}
		last = ms
		bin := ms / uint64(mahimahiBin/time.Millisecond)
		if bin >= MaxTrace {
			return nil, fmt.Errorf("mahimahi trace line %d: longer than %d steps: %w", n, MaxTrace, ErrLink)
		}
		for uint64(len(bins)) <= bin {
			bins = append(bins, 0)
		}
		bins[bin] += mahimahiPacket * 8 / mahimahiBin.Seconds()
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read mahimahi trace: %w", err)
	}
	steps := make([]Step, len(bins))
	for i, rate := range bins {
		steps[i] = Step{At: time.Duration(i) * mahimahiBin, Rate: rate}
	}
	return NewTrace(steps, time.Duration(len(bins))*mahimahiBin)
}

// ParseRates reads lines of "seconds megabits-per-second". The last step lasts as long as the one before it.
func ParseRates(r io.Reader) (*Trace, error) {
	var steps []Step
	sc := bufio.NewScanner(r)
	for n := 1; sc.Scan(); n++ {
		fields := strings.Fields(sc.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) != 2 || len(steps) == MaxTrace {
			return nil, fmt.Errorf("rate trace line %d: want \"seconds Mbps\", at most %d lines: %w", n, MaxTrace, ErrLink)
		}
		sec, err1 := strconv.ParseFloat(fields[0], 64)
		mbps, err2 := strconv.ParseFloat(fields[1], 64)
		if err1 != nil || err2 != nil || !(sec >= 0 && sec < 1e9) {
			return nil, fmt.Errorf("rate trace line %d: want \"seconds Mbps\": %w", n, ErrLink)
		}
		steps = append(steps, Step{At: time.Duration(sec * float64(time.Second)), Rate: mbps * 1e6})
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read rate trace: %w", err)
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("rate trace is empty: %w", ErrLink)
	}
	first := steps[0].At
	for i := range steps {
		steps[i].At -= first
	}
	period := time.Second
	if n := len(steps); n > 1 {
		period = 2*steps[n-1].At - steps[n-2].At
	}
	return NewTrace(steps, period)
}
