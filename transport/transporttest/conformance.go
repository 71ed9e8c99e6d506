package transporttest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/transport"
)

// patience is how long one call of the suite may take on any network.
const patience = 30 * time.Second

// Conformance holds what every network under the hosts must leave true. pair makes two hosts that know each other, with the
// changes that config makes, and run calls the test where the network's time is real or virtual (testing/synctest).
func Conformance(t *testing.T, run func(*testing.T, func(*testing.T)), pair func(testing.TB, func(int, *transport.Config)) *Mesh) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *Mesh)
	}{
		{"a tensor arrives whole, in order, with its header", tensorArrives},
		{"a call is answered, and its failure has the peer's code", callIsAnswered},
		{"packets arrive, and one over the limit is refused", packetsArrive},
		{"a deadline frees the sender and the handler", deadlineFreesBoth},
		{"a consumer that does not read holds the sender", consumerHoldsSender},
		{"closing ends open streams within a second", closeEndsStreams},
		{"the path has a round trip and a goodput", pathIsMeasured},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, func(t *testing.T) {
				m := pair(t, func(_ int, c *transport.Config) { c.Window = 1 << 20 })
				defer m.Close()
				c.test(t, m)
			})
		})
	}
}

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// pattern is bytes of which no two stretches are alike.
func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func tensorArrives(t *testing.T, m *Mesh) {
	a, b := m.Hosts[0], m.Hosts[1]
	want := pattern(2<<20 + 7)
	got := make(chan []byte, 1)
	header := make(chan transport.Header, 1)
	b.Handle(transport.KindTensor, func(_ context.Context, in *transport.Incoming) {
		body, err := in.ReadAll(int64(len(want)))
		if err != nil {
			t.Error(err)
		}
		header <- in.Header
		got <- body
	})
	hd := transport.Header{Request: [16]byte{1, 2}, Plan: 3, Epoch: 4, Stage: 5, Value: 6, Codec: 7, Attempt: 8, Size: uint64(len(want)), Extra: []byte("x")}
	if err := a.Send(patient(t), b.ID(), hd, func(w io.Writer) error {
		_, err := w.Write(want)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	h := <-header
	if !bytes.Equal(<-got, want) {
		t.Error("the body differs")
	}
	if h.Request != hd.Request || h.Plan != hd.Plan || h.Epoch != hd.Epoch || h.Stage != hd.Stage || h.Value != hd.Value ||
		h.Codec != hd.Codec || h.Attempt != hd.Attempt || h.Size != hd.Size || string(h.Extra) != "x" || h.Remaining <= 0 {
		t.Errorf("header %+v, want %+v and a remaining time", h, hd)
	}
}

func callIsAnswered(t *testing.T, m *Mesh) {
	a, b := m.Hosts[0], m.Hosts[1]
	b.Handle(transport.KindUser, func(_ context.Context, in *transport.Incoming) {
		req, err := in.ReadAll(transport.MaxMessage)
		if err != nil || len(req) == 0 {
			in.Fail(transport.CodeMalformed, "nothing asked")
			return
		}
		_, _ = in.Write(req)
	})
	want := pattern(100 << 10)
	if got, err := a.Call(patient(t), b.ID(), transport.KindUser, want); err != nil || !bytes.Equal(got, want) {
		t.Errorf("call: %d bytes, %v", len(got), err)
	}
	var remote *transport.RemoteError
	if _, err := a.Call(patient(t), b.ID(), transport.KindUser, nil); !errors.As(err, &remote) || remote.Code != transport.CodeMalformed {
		t.Errorf("a call that fails: %v", err)
	}
	if _, err := a.Call(patient(t), b.ID(), transport.KindUser+1, want); !errors.Is(err, transport.ErrUnhandled) {
		t.Errorf("a kind that nobody serves: %v", err)
	}
}

func packetsArrive(t *testing.T, m *Mesh) {
	a, b := m.Hosts[0], m.Hosts[1]
	want := pattern(transport.MaxPacket)
	got := make(chan []byte, 1)
	b.HandlePackets(func(_ transport.PeerID, p []byte, _ time.Time) {
		select {
		case got <- p:
		default:
		}
	})
	ctx := patient(t)
	if err := a.SendPacket(ctx, b.ID(), append(want, 0)); !errors.Is(err, transport.ErrTooLarge) {
		t.Errorf("a packet over the limit: %v", err)
	}
	again := time.NewTicker(100 * time.Millisecond) // nobody promises that one arrives
	defer again.Stop()
	for {
		if err := a.SendPacket(ctx, b.ID(), want); err != nil {
			t.Fatal(err)
		}
		select {
		case p := <-got:
			if !bytes.Equal(p, want) {
				t.Error("the packet differs")
			}
			return
		case <-again.C:
		case <-ctx.Done():
			t.Fatal("no packet arrived")
		}
	}
}

func deadlineFreesBoth(t *testing.T, m *Mesh) {
	a, b := m.Hosts[0], m.Hosts[1]
	begun, freed := make(chan struct{}), make(chan struct{})
	b.Handle(transport.KindTensor, func(ctx context.Context, _ *transport.Incoming) {
		close(begun)
		<-ctx.Done()
		close(freed)
	})
	if err := a.Connect(patient(t), b.ID()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(patient(t), 200*time.Millisecond)
	defer cancel()
	err := a.Send(ctx, b.ID(), transport.Header{}, endless)
	if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, transport.ErrRefused) { // the handler's clock may be first
		t.Errorf("send past its deadline: %v", err)
	}
	<-begun
	select {
	case <-freed:
	case <-patient(t).Done():
		t.Error("the handler was not told")
	}
}

// endless writes until it is stopped.
func endless(w io.Writer) error {
	chunk := make([]byte, 64<<10)
	for {
		if _, err := w.Write(chunk); err != nil {
			return err
		}
	}
}

func consumerHoldsSender(t *testing.T, m *Mesh) {
	a, b := m.Hosts[0], m.Hosts[1]
	b.Handle(transport.KindTensor, func(ctx context.Context, _ *transport.Incoming) { <-ctx.Done() })
	if err := a.Connect(patient(t), b.ID()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(patient(t), 400*time.Millisecond)
	defer cancel()
	sent := 0
	_ = a.Send(ctx, b.ID(), transport.Header{}, func(w io.Writer) error {
		chunk := make([]byte, 32<<10)
		for {
			n, err := w.Write(chunk)
			sent += n
			if err != nil {
				return err
			}
		}
	})
	if sent == 0 || sent > 3<<19 {
		t.Errorf("%d bytes went out to a consumer that reads none; the window is 1 MiB", sent)
	}
}

func closeEndsStreams(t *testing.T, m *Mesh) {
	a, b := m.Hosts[0], m.Hosts[1]
	begun := make(chan struct{})
	b.Handle(transport.KindTensor, func(ctx context.Context, _ *transport.Incoming) {
		close(begun)
		<-ctx.Done()
	})
	ctx, cancel := context.WithCancel(patient(t))
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- a.Send(ctx, b.ID(), transport.Header{}, endless) }()
	<-begun
	start := time.Now()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("closing took %v", d)
	}
	cancel() // the network may have lost the peer's last words
	if err := <-done; err == nil {
		t.Error("a send to a closed host succeeded")
	}
}

func pathIsMeasured(t *testing.T, m *Mesh) {
	a, b := m.Hosts[0], m.Hosts[1]
	p, err := a.Probe(patient(t), b.ID())
	if err != nil {
		t.Fatal(err)
	}
	if !p.Connected || p.MinRTT <= 0 || p.Goodput <= 0 || p.Confidence <= 0 || p.Confidence > 1 {
		t.Errorf("path %+v", p)
	}
}
