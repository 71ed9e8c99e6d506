package transport_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	ic "github.com/libp2p/go-libp2p/core/crypto"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/quic-go/quic-go"

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
		chunk := make([]byte, 128<<10)
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

// shapedPair is two hosts whose links, both ways, are l.
func shapedPair(b *testing.B, l shape.Link) (*transport.Host, *transport.Host, []*shape.Shaper) {
	b.Helper()
	shapers := []*shape.Shaper{shape.New(1), shape.New(2)}
	for _, s := range shapers {
		if err := s.SetDefault(l); err != nil {
			b.Fatal(err)
		}
	}
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

// BenchmarkGoodput sends 8 MiB tensors, two at a time, over a shaped path with a queue of one bandwidth-delay product, after a
// warm-up, for about eight seconds.
func BenchmarkGoodput(b *testing.B) {
	for _, loss := range []float64{0, 0.001, 0.01} {
		for _, mbps := range []float64{10, 100, 500} {
			for _, rtt := range []time.Duration{2, 20, 100} {
				rtt *= time.Millisecond
				b.Run(fmt.Sprintf("loss=%g%%/%gMbps/%v", loss*100, mbps, rtt), func(b *testing.B) {
					bdp := int(mbps * 1e6 / 8 * rtt.Seconds())
					from, to, shapers := shapedPair(b, shape.Link{Rate: mbps * 1e6, Delay: rtt / 2, Loss: loss, Queue: bdp})
					perTensor := tensorBytes * 8 / (mbps * 1e6)
					sendTensors(b, from, to, max(1, int(3/perTensor)), 2)
					n := max(2, int(8/perTensor))
					for b.Loop() {
						start, cpu := time.Now(), cpuSeconds()
						sendTensors(b, from, to, n, 2)
						secs := time.Since(start).Seconds()
						rate := float64(n) * tensorBytes * 8 / secs
						b.ReportMetric(100*rate/(mbps*1e6), "%rate")
						b.ReportMetric((cpuSeconds()-cpu)/(float64(n)*tensorBytes/1e9), "cpu-s/GB")
					}
					_, st := shapers[0].Link(netip.MustParseAddrPort(to.Addrs()[0]))
					b.ReportMetric(float64(st.Overflow), "overflowed")
					b.ReportMetric(float64(st.MaxLate.Microseconds()), "max-late-us")
					if p, ok := from.Path(to.ID()); ok {
						b.ReportMetric(100*p.Goodput*8/(mbps*1e6), "%estimate")
					}
				})
			}
		}
	}
}

// BenchmarkLoopback sends 8 MiB tensors over unshaped loopback.
func BenchmarkLoopback(b *testing.B) {
	m := transporttest.New(b, 2, nil)
	m.Hosts[1].Handle(transport.KindTensor, discard)
	b.SetBytes(tensorBytes)
	b.ReportAllocs()
	cpu, n := cpuSeconds(), 0
	for b.Loop() {
		sendTensors(b, m.Hosts[0], m.Hosts[1], 1, 1)
		n++
	}
	b.ReportMetric((cpuSeconds()-cpu)/(float64(n)*tensorBytes/1e9), "cpu-s/GB")
}

// BenchmarkPlainQUIC copies the same bytes over a stream of quic-go alone, with the same windows and the same kind of
// certificate: what BenchmarkLoopback is measured against.
func BenchmarkPlainQUIC(b *testing.B) {
	key, _, err := ic.GenerateEd25519Key(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	id, err := libp2ptls.NewIdentity(key)
	if err != nil {
		b.Fatal(err)
	}
	conf, _ := id.ConfigForPeer("")
	conf.NextProtos = []string{"plain"}
	conf.VerifyPeerCertificate = nil
	qc := &quic.Config{
		InitialStreamReceiveWindow: 12 << 20, MaxStreamReceiveWindow: 32 << 20,
		InitialConnectionReceiveWindow: 16 << 20, MaxConnectionReceiveWindow: 32 << 20,
	}
	ln, err := quic.ListenAddr("127.0.0.1:0", conf, qc)
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	ctx := context.Background()
	go func() {
		conn, err := ln.Accept(ctx)
		if err != nil {
			return
		}
		buf := make([]byte, 256<<10)
		for {
			s, err := conn.AcceptStream(ctx)
			if err != nil {
				return
			}
			for err == nil {
				_, err = s.Read(buf)
			}
			_ = s.Close()
		}
	}()
	conn, err := quic.DialAddr(ctx, ln.Addr().String(), conf, qc)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(tensorBytes)
	b.ReportAllocs()
	cpu, n := cpuSeconds(), 0
	for b.Loop() {
		s, err := conn.OpenStreamSync(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if err := writeN(tensorBytes)(s); err != nil {
			b.Fatal(err)
		}
		_ = s.Close()
		if _, err := io.ReadAll(s); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric((cpuSeconds()-cpu)/(float64(n)*tensorBytes/1e9), "cpu-s/GB")
	_ = conn.CloseWithError(0, "")
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
