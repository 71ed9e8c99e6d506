package transport_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/shape"
	"github.com/cleave-mesh/cleave/transport/transporttest"
)

// TestStallIsToldInTime watches peers at several distances with several deadlines, in virtual time: one that falls silent is reported
// within the deadline and what the way there adds, one that is merely far never.
func TestStallIsToldInTime(t *testing.T) {
	for _, delay := range []time.Duration{time.Millisecond, 150 * time.Millisecond} {
		for _, within := range []time.Duration{100 * time.Millisecond, time.Second} {
			synctest.Test(t, func(t *testing.T) {
				m, _, shapers := transporttest.NewVirtual(t, 2, shape.Link{Delay: delay}, 1)
				defer m.Close()
				a, b := m.Hosts[0], m.Hosts[1]
				if err := a.Connect(t.Context(), b.ID()); err != nil {
					t.Fatal(err)
				}
				defer a.Watch(b.ID(), within)()
				far := time.NewTimer(20 * time.Second)
				for waiting := true; waiting; {
					select {
					case e := <-a.PeerEvents():
						if e.Kind == transport.PeerStalled {
							t.Fatalf("%v away, %v allowed: a live peer was called stalled after a silence of %v", delay, within, e.Silence)
						}
					case <-far.C:
						waiting = false
					}
				}
				for _, s := range shapers { // as a frozen process: nothing comes, nothing goes
					if err := s.SetDefault(shape.Link{Loss: 1}); err != nil {
						t.Fatal(err)
					}
				}
				begin := time.Now()
				for e := range a.PeerEvents() {
					if e.Kind == transport.PeerStalled {
						break
					}
				}
				// What is under way still comes; two round trips are allowed beyond the deadline; pings go out 20 times and are looked
				// for 40 times a second.
				took, most := time.Since(begin), within+5*delay+100*time.Millisecond
				if took > most {
					t.Errorf("%v away: told after %v, want within %v", delay, took, most)
				}
				t.Logf("%v away, silence of %v allowed: told after %v", delay, within, took)
			})
		}
	}
}
