package transport_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/shape"
	"github.com/cleave-mesh/cleave/transport/transporttest"
)

// sweep tells whether the whole table of docs/performance.md is asked for (scripts/bench-transport.sh), or one cell of it.
func sweep() bool { return os.Getenv("CLEAVE_SWEEP") != "" }

// goodput sends 8 MiB tensors, two at a time, for about span of virtual time, and returns bits per second of payload.
func goodput(t *testing.T, from, to *transport.Host, span time.Duration) float64 {
	t.Helper()
	start := time.Now()
	var sent atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for time.Since(start) < span {
				if err := from.Send(context.Background(), to.ID(), transport.Header{Size: tensorBytes}, writeN(tensorBytes)); err != nil {
					t.Error(err)
					return
				}
				sent.Add(tensorBytes)
			}
		}()
	}
	wg.Wait()
	return float64(sent.Load()) * 8 / time.Since(start).Seconds()
}

// slowStart is how long a first transfer takes when nothing but slow start and the link's rate hold it: a round trip for the
// handshake, one window per round trip, doubled, until the link is full, and half a round trip each for the last packet and the
// receipt. The window begins at 32 packets of 1,280 bytes, of which about 1,245 are payload.
func slowStart(bytes, rate float64, rtt time.Duration) time.Duration {
	const share = 1245.0 / 1308 // payload of what the link carries
	t, window := rtt.Seconds(), 32*1245.0
	for window < rate/8*share*rtt.Seconds() && bytes > window {
		bytes -= window
		t += rtt.Seconds()
		window *= 2
	}
	t += bytes*8/(rate*share) + rtt.Seconds()
	return time.Duration(t * float64(time.Second))
}

// TestGoodput holds what QUIC reaches on a shaped path, in virtual time: a queue of one bandwidth-delay product, warm.
func TestGoodput(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow beside the race detector")
	}
	type path struct {
		mbps float64
		rtt  time.Duration
		loss float64
	}
	paths, warm, span := []path{{20, 20 * time.Millisecond, 0}, {10, 2 * time.Millisecond, 0}}, 2*time.Second, 3*time.Second
	if sweep() {
		paths, warm, span = nil, 10*time.Second, 10*time.Second
		for _, loss := range []float64{0, 0.001, 0.01} {
			for _, mbps := range []float64{10, 100, 500} {
				for _, rtt := range []time.Duration{2, 20, 100} {
					paths = append(paths, path{mbps, rtt * time.Millisecond, loss})
				}
			}
		}
	}
	for _, p := range paths {
		t.Run(fmt.Sprintf("%gMbps/%v/loss=%g%%", p.mbps, p.rtt, 100*p.loss), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := shape.Link{Rate: p.mbps * 1e6, Delay: p.rtt / 2, Loss: p.loss, Queue: int(p.mbps * 1e6 / 8 * p.rtt.Seconds())}
				m, _, shapers := transporttest.NewVirtual(t, 2, l, 1)
				defer m.Close()
				a, b := m.Hosts[0], m.Hosts[1]
				b.Handle(transport.KindTensor, discard)
				goodput(t, a, b, warm)
				rate := goodput(t, a, b, span)
				_, st := shapers[0].Link(netip.MustParseAddrPort(b.Addrs()[0]))
				ps, _ := a.Path(b.ID())
				t.Logf("%5g Mbps %6v loss %4.1f%%: %5.1f%% of the rate; estimate %5.1f%% of the rate, rtt %v, loss %.2f%%; %d overflowed",
					p.mbps, p.rtt, 100*p.loss, rate/p.mbps/1e4, ps.Goodput*8/p.mbps/1e4, ps.MinRTT, 100*ps.Loss, st.Overflow)
				if p.loss == 0 && rate < 0.93*p.mbps*1e6 {
					t.Errorf("goodput %.1f Mbps of %g", rate/1e6, p.mbps)
				}
			})
		})
	}
}

// TestCold holds the first transfer over a new connection, handshake included, to what slow start and the rate allow.
func TestCold(t *testing.T) {
	if testing.Short() {
		t.Skip("too slow beside the race detector")
	}
	const bytes, most = 1 << 20, 1.1
	runs := 2
	if sweep() {
		runs = 20
	}
	for _, mbps := range []float64{10, 100, 500} {
		for _, rtt := range []time.Duration{2, 20, 100} {
			rtt *= time.Millisecond
			t.Run(fmt.Sprintf("%gMbps/%v", mbps, rtt), func(t *testing.T) {
				allowed := slowStart(bytes, mbps*1e6, rtt)
				var took []time.Duration
				for seed := range runs {
					synctest.Test(t, func(t *testing.T) {
						l := shape.Link{Rate: mbps * 1e6, Delay: rtt / 2, Queue: int(mbps * 1e6 / 8 * rtt.Seconds())}
						m, _, _ := transporttest.NewVirtual(t, 2, l, uint64(seed))
						defer m.Close()
						a, b := m.Hosts[0], m.Hosts[1]
						b.Handle(transport.KindTensor, discard)
						begin := time.Now()
						if err := a.Send(t.Context(), b.ID(), transport.Header{}, writeN(bytes)); err != nil {
							t.Fatal(err)
						}
						took = append(took, time.Since(begin))
					})
				}
				slices.Sort(took)
				worst := took[len(took)-1]
				t.Logf("%5g Mbps %6v: 1 MiB cold %v to %v, slow start allows %v, at most %+.1f%%", mbps, rtt, took[0].Round(time.Millisecond),
					worst.Round(time.Millisecond), allowed.Round(time.Millisecond), 100*(float64(worst)/float64(allowed)-1))
				if float64(worst) > most*float64(allowed) {
					t.Errorf("%v, aim %v", worst, time.Duration(most*float64(allowed)))
				}
			})
		}
	}
}
