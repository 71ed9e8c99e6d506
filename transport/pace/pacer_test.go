package pace

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// TestStories plays transcripts: a path is a rate in KB/s and the share of burst packets that its queue drops; "run" sends
// through it for a number of samples 50 ms apart, as fast as the pacer lets it, while packets wait for a number of milliseconds, and prints
// the pacer's rate after each where it changes.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var p Pacer
		s := Sample{RTT: 5 * time.Millisecond}
		now := time.Unix(0, 0)
		capacity, offered := 0.0, 0.0
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var kb, percent, n, ms int
			switch d.Cmd {
			case "path":
				d.ScanArgs(t, "kb", &kb)
				capacity = float64(kb) * 1e3
				return ""
			case "offer":
				d.ScanArgs(t, "kb", &kb)
				offered = float64(kb) * 1e3
				return ""
			case "pause":
				d.ScanArgs(t, "ms", &ms)
				now = now.Add(time.Duration(ms) * time.Millisecond)
				return ""
			case "run":
			default:
				t.Fatalf("unknown command %q", d.Cmd)
			}
			d.ScanArgs(t, "n", &n)
			if d.HasArg("lost") {
				d.ScanArgs(t, "lost", &percent)
			}
			var b strings.Builder
			s.Queued = 0
			if d.HasArg("queued") {
				d.ScanArgs(t, "queued", &ms)
				s.Queued = time.Duration(ms) * time.Millisecond
			}
			last := -1
			for i := range n {
				const step = 50 * time.Millisecond
				rate := p.Step(now, s)
				if kb := int(rate / 1e3); kb != last {
					fmt.Fprintf(&b, "%d: %d\n", i, kb)
					last = kb
				}
				now = now.Add(step)
				send := offered
				if rate > 0 && rate < offered {
					send = rate
					s.Held += step / 2
				}
				lost := max(0, send-capacity)
				if rate == 0 || rate > 1.3*capacity { // bursts reach the queue
					lost = max(lost, send*float64(percent)/100)
				}
				s.Sent += uint64(send * step.Seconds())
				s.Lost += uint64(lost * step.Seconds())
			}
			return b.String()
		})
	})
}
