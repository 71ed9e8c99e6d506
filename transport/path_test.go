package transport_test

import (
	"context"
	"io"
	"math"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/shape"
	"github.com/cleave-mesh/cleave/transport/transporttest"
)

// TestPathFollowsChange degrades and mends a link under steady traffic: the estimate must follow within two seconds.
func TestPathFollowsChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := shape.Link{Rate: 20e6, Delay: 5 * time.Millisecond, Queue: 64 << 10}
		m, _, shapers := transporttest.NewVirtual(t, 2, l, 1)
		defer m.Close()
		a, b := m.Hosts[0], m.Hosts[1]
		b.Handle(transport.KindTensor, discard)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for ctx.Err() == nil { // a request every 100 ms at most, of 100 KiB
				next := time.NewTimer(100 * time.Millisecond)
				_ = a.Send(ctx, b.ID(), transport.Header{}, writeN(100<<10))
				select {
				case <-next.C:
				case <-ctx.Done():
				}
			}
		}()
		defer func() { cancel(); <-done }()
		within := func(mbps float64, most time.Duration) {
			t.Helper()
			begin := time.Now()
			for {
				p, _ := a.Path(b.ID())
				if math.Abs(p.Goodput*8/1e6/mbps-1) < 0.25 {
					t.Logf("the estimate is at %.1f Mbps of %g after %v, confidence %.2f", p.Goodput*8/1e6, mbps, time.Since(begin), p.Confidence)
					return
				}
				if time.Since(begin) > most {
					t.Errorf("after %v the estimate is %.1f Mbps, the link %g", most, p.Goodput*8/1e6, mbps)
					return
				}
				time.Sleep(10 * time.Millisecond) // virtual
			}
		}
		to := netip.MustParseAddrPort(b.Addrs()[0])
		within(20, 5*time.Second)
		time.Sleep(3 * time.Second)
		for _, mbps := range []float64{5, 20, 10} {
			l.Rate = mbps * 1e6
			if err := shapers[0].Set(to, l); err != nil {
				t.Fatal(err)
			}
			within(mbps, 2*time.Second)
			time.Sleep(3 * time.Second)
		}
	})
}

// TestProbe measures an idle path.
func TestProbe(t *testing.T) {
	for _, c := range []struct {
		mbps float64
		rtt  time.Duration
	}{{5, 40 * time.Millisecond}, {50, 10 * time.Millisecond}, {400, 4 * time.Millisecond}} {
		synctest.Test(t, func(t *testing.T) {
			m, _, _ := transporttest.NewVirtual(t, 2, shape.Link{Rate: c.mbps * 1e6, Delay: c.rtt / 2}, 1)
			defer m.Close()
			begin := time.Now()
			p, err := m.Hosts[0].Probe(t.Context(), m.Hosts[1].ID())
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%g Mbps, %v: probed %.1f Mbps, %v in %v", c.mbps, c.rtt, p.Goodput*8/1e6, p.MinRTT, time.Since(begin))
			if r := p.Goodput * 8 / 1e6 / c.mbps; r < 0.7 || r > 1.05 {
				t.Errorf("goodput %.1f Mbps of %g", p.Goodput*8/1e6, c.mbps)
			}
			// The least round trip includes the link time of a padded packet each way, and QUIC's timer.
			padded := time.Duration(2 * 1308 * 8 / (c.mbps * 1e6) * float64(time.Second))
			if d := p.MinRTT - c.rtt; d < 0 || d > padded+2*time.Millisecond {
				t.Errorf("round trip %v, want %v", p.MinRTT, c.rtt)
			}
		})
	}
}

// TestUrgentOvertakesBulk sends a small urgent tensor while a large one without a deadline fills a slow link.
func TestUrgentOvertakesBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, _ := transporttest.NewVirtual(t, 2, shape.Link{Rate: 10e6, Delay: 5 * time.Millisecond, Queue: 32 << 10}, 1)
		defer m.Close()
		a, b := m.Hosts[0], m.Hosts[1]
		b.Handle(transport.KindTensor, discard)
		bulk := make(chan time.Duration, 1)
		begin := time.Now()
		go func() {
			if err := a.Send(context.Background(), b.ID(), transport.Header{}, writeN(8<<20)); err != nil {
				t.Error(err)
			}
			bulk <- time.Since(begin)
		}()
		time.Sleep(time.Second) // virtual: the bulk is well under way
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		defer cancel()
		urgent := time.Now()
		if err := a.Send(ctx, b.ID(), transport.Header{}, writeN(64<<10)); err != nil {
			t.Errorf("urgent: %v", err)
		}
		took := time.Since(urgent)
		t.Logf("64 KiB beside 8 MiB at 10 Mbps: %v; the bulk %v", took, <-bulk)
		if took > 200*time.Millisecond { // 52 ms of link time, the queue's 26 ms, and a round trip or two
			t.Errorf("urgent tensor took %v", took)
		}
	})
}

// TestSlowConsumerHoldsTheSender bounds what a peer can make a host keep.
func TestSlowConsumerHoldsTheSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &transporttest.Virtual{}
		m := transporttest.New(t, 2, func(i int, c *transport.Config) {
			v.Configure(t, c, shape.Link{Delay: time.Millisecond}, uint64(i))
			c.Window = 1 << 20
		})
		defer m.Close()
		a, b := m.Hosts[0], m.Hosts[1]
		release := make(chan struct{})
		b.Handle(transport.KindTensor, func(ctx context.Context, in *transport.Incoming) {
			select {
			case <-release:
				discard(ctx, in)
			case <-ctx.Done():
			}
		})
		written := make(chan int, 1)
		total := 0
		done := make(chan error, 1)
		go func() {
			done <- a.Send(context.Background(), b.ID(), transport.Header{}, func(w io.Writer) error {
				for total < 16<<20 {
					n, err := w.Write(make([]byte, 64<<10))
					total += n
					select {
					case <-written:
					default:
					}
					written <- total
					if err != nil {
						return err
					}
				}
				return nil
			})
		}()
		time.Sleep(time.Minute) // virtual
		if got := <-written; got > 3<<19 {
			t.Errorf("%d bytes went out to a consumer that read none, window 1 MiB", got)
		}
		close(release)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
