package transport_test

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/shape"
	"github.com/cleave-mesh/cleave/transport/transporttest"
)

const tensorBytes = 8 << 20

// discard serves tensors by reading them to the end.
func discard(_ context.Context, in *transport.Incoming) {
	buf := make([]byte, 256<<10)
	for {
		if _, err := in.Read(buf); err != nil {
			return
		}
	}
}

// writeN writes n bytes as a codec would: in chunks.
func writeN(n int) func(io.Writer) error {
	return func(w io.Writer) error {
		chunk := make([]byte, min(n, 128<<10))
		for n > 0 {
			k, err := w.Write(chunk[:min(n, len(chunk))])
			if err != nil {
				return err
			}
			n -= k
		}
		return nil
	}
}

// shapersOf is what shapes both ends of a path.
func shapersOf(b *testing.B, l shape.Link) []*shape.Shaper {
	b.Helper()
	shapers := []*shape.Shaper{shape.New(1), shape.New(2)}
	for _, s := range shapers {
		if err := s.SetDefault(l); err != nil {
			b.Fatal(err)
		}
	}
	return shapers
}

func closeBoth(b *testing.B, hosts ...*transport.Host) {
	b.Helper()
	for _, h := range hosts {
		if err := h.Close(); err != nil {
			b.Error(err)
		}
	}
}

// shapedPair is two hosts whose links, both ways, are l.
func shapedPair(b *testing.B, l shape.Link) (*transport.Host, *transport.Host, []*shape.Shaper) {
	b.Helper()
	shapers := shapersOf(b, l)
	m := transporttest.New(b, 2, func(i int, c *transport.Config) { c.Shaper = shapers[i] })
	m.Hosts[1].Handle(transport.KindTensor, discard)
	return m.Hosts[0], m.Hosts[1], shapers
}

func sendTensors(b *testing.B, from, to *transport.Host, n, parallel int) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	for range parallel {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for left.Add(-1) >= 0 {
				if err := from.Send(context.Background(), to.ID(), transport.Header{Size: tensorBytes}, writeN(tensorBytes)); err != nil {
					b.Error(err)
					return
				}
			}
		}()
	}
	wg.Wait()
}

func cpuSeconds() float64 {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		return 0
	}
	return float64(ru.Utime.Nano()+ru.Stime.Nano()) / 1e9
}

// spent is what the process used up between two moments.
type spent struct {
	seconds, cpu float64
	mallocs      uint64
}

// spend measures fn.
func spend(fn func()) spent {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, cpu := time.Now(), cpuSeconds()
	fn()
	s := spent{seconds: time.Since(start).Seconds(), cpu: cpuSeconds() - cpu}
	runtime.ReadMemStats(&after)
	s.mallocs = after.Mallocs - before.Mallocs
	return s
}

func (s *spent) add(o spent) {
	s.seconds, s.cpu, s.mallocs = s.seconds+o.seconds, s.cpu+o.cpu, s.mallocs+o.mallocs
}

// mbps is the payload of n tensors in Mbit/s, cpuPerGB the processor's seconds per GB of it.
func (s spent) mbps(n int) float64     { return float64(n) * tensorBytes * 8 / s.seconds / 1e6 }
func (s spent) cpuPerGB(n int) float64 { return s.cpu / (float64(n) * tensorBytes / 1e9) }

// BenchmarkGoodput sends 8 MiB tensors, two at a time, over a shaped path with a queue of one bandwidth-delay product, after a
// warm-up, for about eight seconds; and then plain quic-go does, over sockets shaped in the same way.
func BenchmarkGoodput(b *testing.B) {
	for _, loss := range []float64{0, 0.001, 0.01} {
		for _, mbps := range []float64{10, 100, 500} {
			for _, rtt := range []time.Duration{2, 20, 100} {
				rtt *= time.Millisecond
				b.Run(fmt.Sprintf("loss=%g%%/%gMbps/%v", loss*100, mbps, rtt), func(b *testing.B) {
					perTensor := tensorBytes * 8 / (mbps * 1e6)
					warm, n := max(1, int(3/perTensor)), max(2, int(8/perTensor))
					bdp := int(mbps * 1e6 / 8 * rtt.Seconds())
					l := shape.Link{Rate: mbps * 1e6, Delay: rtt / 2, Loss: loss, Queue: bdp}
					for b.Loop() {
						from, to, shapers := shapedPair(b, l)
						sendTensors(b, from, to, warm, 2)
						s := spend(func() { sendTensors(b, from, to, n, 2) })
						b.ReportMetric(100*s.mbps(n)/mbps, "%rate")
						b.ReportMetric(s.cpuPerGB(n), "cpu-s/GB")
						_, st := shapers[0].Link(netip.MustParseAddrPort(to.Addrs()[0]))
						b.ReportMetric(float64(st.Overflow), "overflowed")
						b.ReportMetric(float64(st.MaxLate.Microseconds()), "max-late-us")
						if p, ok := from.Path(to.ID()); ok {
							b.ReportMetric(100*p.Goodput*8/(mbps*1e6), "%estimate")
						}
						closeBoth(b, from, to)
						plain := plainPair(b, shapersOf(b, l))
						plain.send(b, warm, 2)
						s = spend(func() { plain.send(b, n, 2) })
						b.ReportMetric(100*s.mbps(n)/mbps, "%plain")
						b.ReportMetric(s.cpuPerGB(n), "plain-cpu-s/GB")
						plain.close()
					}
				})
			}
		}
	}
}

// BenchmarkLoopback sends 8 MiB tensors over unshaped loopback, and after each one the same bytes over a stream of plain quic-go.
// "of-plain" is the ratio of the two rates.
func BenchmarkLoopback(b *testing.B) {
	m := transporttest.New(b, 2, nil)
	m.Hosts[1].Handle(transport.KindTensor, discard)
	plain := plainPair(b, nil)
	defer plain.close()
	sendTensors(b, m.Hosts[0], m.Hosts[1], 5, 1)
	plain.send(b, 5, 1)
	var own, other spent
	n := 0
	for b.Loop() {
		own.add(spend(func() { sendTensors(b, m.Hosts[0], m.Hosts[1], 1, 1) }))
		other.add(spend(func() { plain.send(b, 1, 1) }))
		n++
	}
	b.ReportMetric(own.mbps(n)/8, "MB/s")
	b.ReportMetric(other.mbps(n)/8, "plain-MB/s")
	b.ReportMetric(other.seconds/own.seconds, "of-plain")
	b.ReportMetric(own.cpuPerGB(n), "cpu-s/GB")
	b.ReportMetric(other.cpuPerGB(n), "plain-cpu-s/GB")
	b.ReportMetric(float64(own.mallocs)/float64(n), "mallocs/tensor")
	b.ReportMetric(float64(other.mallocs)/float64(n), "plain-mallocs/tensor")
}

// BenchmarkTensorCount sends ever more tensors over one connection: what one costs stays the same.
func BenchmarkTensorCount(b *testing.B) {
	for _, n := range []int{10, 50, 250} {
		b.Run(fmt.Sprintf("tensors=%d", n), func(b *testing.B) {
			m := transporttest.New(b, 2, nil)
			m.Hosts[1].Handle(transport.KindTensor, discard)
			sendTensors(b, m.Hosts[0], m.Hosts[1], 1, 1)
			for b.Loop() {
				s := spend(func() { sendTensors(b, m.Hosts[0], m.Hosts[1], n, 1) })
				b.ReportMetric(s.mbps(n)/8, "MB/s")
				b.ReportMetric(s.cpuPerGB(n), "cpu-s/GB")
				b.ReportMetric(float64(s.mallocs)/float64(n), "mallocs/tensor")
			}
		})
	}
}

// BenchmarkHop sends a 4 KiB tensor there and one back.
func BenchmarkHop(b *testing.B) {
	m := transporttest.New(b, 2, nil)
	a, z := m.Hosts[0], m.Hosts[1]
	back := make(chan error, 1)
	z.Handle(transport.KindTensor, func(ctx context.Context, in *transport.Incoming) {
		if _, err := in.ReadAll(1 << 20); err != nil {
			back <- err
			return
		}
		if err := z.Send(ctx, a.ID(), transport.Header{}, writeN(4<<10)); err != nil {
			back <- err
		}
	})
	a.Handle(transport.KindTensor, func(_ context.Context, in *transport.Incoming) {
		_, err := in.ReadAll(1 << 20)
		back <- err
	})
	ctx := context.Background()
	var times []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		if err := a.Send(ctx, z.ID(), transport.Header{}, writeN(4<<10)); err != nil {
			b.Fatal(err)
		}
		if err := <-back; err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "median-us")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-us")
}
