package topology

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Limits of a trace file.
const (
	// MaxTraceSteps is the most steps that a trace has.
	MaxTraceSteps = 1 << 20
	// MaxTracePackets is the most packets that a Mahimahi trace lists.
	MaxTracePackets = 1 << 24
	// MahimahiPacket is the bytes that one line of a Mahimahi trace delivers, MahimahiBin the width of the steps that its
	// packets are counted in.
	MahimahiPacket = 1500
	MahimahiBin    = 100 * time.Millisecond
)

// ErrTrace is wrapped when a trace file is not one; the error names the line.
var ErrTrace = errors.New("bad bandwidth trace")

// Step is a rate that holds until the next step.
type Step struct {
	At   time.Duration
	Rate Rate
}

// Trace is bandwidth over time. It begins anew after Period.
type Trace struct {
	// Steps ascend in time; the first is at 0.
	Steps  []Step
	Period time.Duration
}

// At is the rate at a time since the trace began, and when it changes next.
func (t *Trace) At(d time.Duration) (Rate, time.Duration) {
	base := d / t.Period * t.Period
	i := sort.Search(len(t.Steps), func(i int) bool { return t.Steps[i].At > d-base }) - 1
	if i+1 < len(t.Steps) {
		return t.Steps[i].Rate, base + t.Steps[i+1].At
	}
	return t.Steps[i].Rate, base + t.Period
}

// Mean is the average rate over a period.
func (t *Trace) Mean() Rate {
	sum := 0.0
	for i, s := range t.Steps {
		end := t.Period
		if i+1 < len(t.Steps) {
			end = t.Steps[i+1].At
		}
		sum += float64(s.Rate) * (end - s.At).Seconds()
	}
	return Rate(sum / t.Period.Seconds())
}

// LoadTrace reads a trace file and multiplies its rates by scale.
func LoadTrace(path string, scale float64) (*Trace, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open trace: %w", err)
	}
	defer f.Close()
	t, err := ReadTrace(f, scale)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// ReadTrace reads a trace in one of two forms and multiplies its rates by scale: lines of `seconds Mbps`, from then to
// the next line's time; or Mahimahi's, where each line is the millisecond at which one packet of 1,500 bytes can go. The
// last step of the first form lasts as long as the one before it.
func ReadTrace(r io.Reader, scale float64) (*Trace, error) {
	lines := bufio.NewScanner(r)
	var steps []Step
	var packets []int64 // per bin of a Mahimahi trace
	last, count, form := 0.0, 0, 0
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		bad := func(what string) error { return fmt.Errorf("%w: line %d: %s", ErrTrace, n, what) }
		if form == 0 {
			form = len(fields)
		}
		if len(fields) != form || form > 2 {
			return nil, bad("want `seconds Mbps` on every line, or one millisecond on every line")
		}
		at, err := strconv.ParseFloat(fields[0], 64)
		if err != nil || !(at >= last) || at > MaxTime.Seconds()*1000 {
			return nil, bad(fmt.Sprintf("%q is not a time from %g on", fields[0], last))
		}
		count++
		last = at
		if form == 1 {
			if count > MaxTracePackets {
				return nil, bad(fmt.Sprintf("more than %d packets", MaxTracePackets))
			}
			bin := int(at / float64(MahimahiBin.Milliseconds()))
			if bin >= MaxTraceSteps {
				return nil, bad(fmt.Sprintf("longer than %v", MaxTraceSteps*MahimahiBin))
			}
			for len(packets) <= bin {
				packets = append(packets, 0)
			}
			packets[bin]++
			continue
		}
		rate, err := strconv.ParseFloat(fields[1], 64)
		if err != nil || !(rate >= 0) || math.IsInf(rate, 0) {
			return nil, bad(fmt.Sprintf("%q is not a rate in Mbps", fields[1]))
		}
		when := time.Duration(at * float64(time.Second))
		switch {
		case len(steps) == MaxTraceSteps:
			return nil, bad(fmt.Sprintf("more than %d steps", MaxTraceSteps))
		case len(steps) == 0:
			when = 0
		case when == steps[len(steps)-1].At:
			return nil, bad("a second rate for the same time")
		}
		steps = append(steps, Step{when, Rate(rate * 1e6 * scale)})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTrace, err)
	}
	for i, p := range packets {
		bits := float64(p) * MahimahiPacket * 8
		steps = append(steps, Step{time.Duration(i) * MahimahiBin, Rate(bits / MahimahiBin.Seconds() * scale)})
	}
	return finishTrace(steps, form)
}

// finishTrace gives the steps their period.
func finishTrace(steps []Step, form int) (*Trace, error) {
	if len(steps) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrTrace)
	}
	end := steps[len(steps)-1].At
	width := MahimahiBin
	if form == 2 {
		width = time.Second
		if n := len(steps); n > 1 {
			width = end - steps[n-2].At
		}
	}
	t := &Trace{Steps: steps, Period: end + width}
	if t.Mean() <= 0 {
		return nil, fmt.Errorf("%w: its rate is 0 throughout", ErrTrace)
	}
	return t, nil
}
