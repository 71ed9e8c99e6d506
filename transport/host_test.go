package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
	"github.com/cleave-mesh/cleave/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limit is the time that a test may take before it counts as hung.
const limit = 20 * time.Second

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func TestSendCarriesTensor(t *testing.T) {
	ctx := testContext(t)
	m := transporttest.New(t, 2, nil)
	a, b := m.Hosts[0], m.Hosts[1]
	type got struct {
		from transport.PeerID
		hd   transport.Header
		n    int
		err  error
	}
	results := make(chan got, 1)
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	b.Handle(transport.KindTensor, func(_ context.Context, in *transport.Incoming) {
		body, err := in.ReadAll(1 << 30)
		if err == nil && !bytes.Equal(body, want) {
			err = errors.New("body differs")
		}
		results <- got{in.From, in.Header, len(body), err}
	})
	hd := transport.Header{
		Request: [16]byte{1, 2, 3}, Plan: 4, Epoch: 5, Stage: 6, Value: 7, Codec: 8, Attempt: 9, Size: uint64(len(want)),
		Extra: []byte("digest"),
	}
	err := a.Send(ctx, b.ID(), hd, func(w io.Writer) error {
		for rest := want; len(rest) > 0; {
			n, err := w.Write(rest[:min(len(rest), 10_007)])
			if err != nil {
				return err
			}
			rest = rest[n:]
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r := <-results
	if r.err != nil || r.from != a.ID() || r.n != len(want) {
		t.Fatalf("received %d bytes from %s, error %v", r.n, r.from, r.err)
	}
	if r.hd.Remaining <= 0 || r.hd.Remaining > limit {
		t.Errorf("remaining %v, want up to %v", r.hd.Remaining, limit)
	}
	r.hd.Remaining = 0
	if fmt.Sprint(r.hd) != fmt.Sprint(hd) {
		t.Errorf("header %+v, want %+v", r.hd, hd)
	}
	if p, ok := a.Path(b.ID()); !ok || !p.Connected || p.RTT <= 0 || p.Goodput <= 0 || p.Confidence <= 0 {
		t.Errorf("path after a transfer: %+v", p)
	}
}

func TestCallAndErrors(t *testing.T) {
	ctx := testContext(t)
	m := transporttest.New(t, 2, nil)
	a, b := m.Hosts[0], m.Hosts[1]
	b.Handle(transport.KindUser, func(_ context.Context, in *transport.Incoming) {
		req, err := in.ReadAll(transport.MaxMessage)
		if err != nil {
			in.Fail(transport.CodeMalformed, err.Error())
			return
		}
		if string(req) == "fail" {
			in.Fail(transport.CodeRefused, "not today")
			return
		}
		_, _ = in.Write(append([]byte("echo "), req...))
	})
	got, err := a.Call(ctx, b.ID(), transport.KindUser, []byte("hello"))
	if err != nil || string(got) != "echo hello" {
		t.Fatalf("call: %q, %v", got, err)
	}
	var remote *transport.RemoteError
	if _, err = a.Call(ctx, b.ID(), transport.KindUser, []byte("fail")); !errors.As(err, &remote) || remote.Text != "not today" {
		t.Errorf("failing call: %v", err)
	}
	if _, err = a.Call(ctx, b.ID(), transport.KindUser+1, nil); !errors.Is(err, transport.ErrUnhandled) {
		t.Errorf("unhandled kind: %v", err)
	}
	if err := a.Send(ctx, b.ID(), transport.Header{}, func(w io.Writer) error {
		_, err := w.Write(make([]byte, 1<<20))
		return err
	}); !errors.Is(err, transport.ErrUnhandled) {
		t.Errorf("tensor to a host without handler: %v", err)
	}
	if _, err = a.Call(ctx, b.ID(), transport.KindUser, make([]byte, transport.MaxMessage+1)); !errors.Is(err, transport.ErrTooLarge) {
		t.Errorf("oversized call: %v", err)
	}
	unknown, err := transport.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = a.Call(ctx, unknown.ID(), transport.KindUser, nil); !errors.Is(err, transport.ErrNoAddress) {
		t.Errorf("call to a peer without address: %v", err)
	}
}

func TestBothDialAtOnce(t *testing.T) {
	ctx := testContext(t)
	m := transporttest.New(t, 2, nil)
	a, b := m.Hosts[0], m.Hosts[1]
	echo := func(_ context.Context, in *transport.Incoming) { _, _ = io.Copy(in, in) }
	a.Handle(transport.KindUser, echo)
	b.Handle(transport.KindUser, echo)
	errs := make(chan error, 20)
	for i := range cap(errs) {
		from, to := a, b
		if i%2 == 1 {
			from, to = b, a
		}
		go func() {
			_, err := from.Call(ctx, to.ID(), transport.KindUser, []byte("x"))
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestCancelFreesBothSides(t *testing.T) {
	ctx := testContext(t)
	m := transporttest.New(t, 2, nil)
	a, b := m.Hosts[0], m.Hosts[1]
	begun, ended := make(chan struct{}), make(chan struct{})
	b.Handle(transport.KindTensor, func(ctx context.Context, in *transport.Incoming) {
		close(begun)
		<-ctx.Done() // never reads: the sender is held by flow control
		close(ended)
	})
	sctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		done <- a.Send(sctx, b.ID(), transport.Header{}, func(w io.Writer) error {
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return err
				}
			}
		})
	}()
	<-begun
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("canceled send: %v", err)
	}
	select {
	case <-ended:
	case <-ctx.Done():
		t.Fatal("the handler did not learn that the sender gave up")
	}
}

func TestCloseWithStreamsOpen(t *testing.T) {
	ctx := testContext(t)
	m := transporttest.New(t, 2, nil)
	a, b := m.Hosts[0], m.Hosts[1]
	begun := make(chan struct{})
	b.Handle(transport.KindTensor, func(ctx context.Context, in *transport.Incoming) {
		close(begun)
		<-ctx.Done()
	})
	done := make(chan error, 1)
	go func() {
		done <- a.Send(ctx, b.ID(), transport.Header{}, func(w io.Writer) error {
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return err
				}
			}
		})
	}()
	<-begun
	start := time.Now()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("Close took %v", d)
	}
	if err := <-done; err == nil {
		t.Error("send to a closed host succeeded")
	}
}

func TestJoinByToken(t *testing.T) {
	ctx := testContext(t)
	m := transporttest.New(t, 1, nil)
	seed := m.Hosts[0]
	var kept atomic.Int64
	seed.ServeJoins(m.Authority, func() { kept.Add(1) })
	token, err := m.Authority.Token(admit.Member, 1, time.Now().Add(time.Hour), seed.Addrs())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("token of %d characters: %s", len(token.String()), token)
	stranger := func() *transport.Host {
		id, err := transport.NewIdentity()
		if err != nil {
			t.Fatal(err)
		}
		h, err := transport.Listen(ctx, transport.Config{Identity: id})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = h.Close() })
		return h
	}
	seed.Handle(transport.KindUser, func(_ context.Context, in *transport.Incoming) { _, _ = io.Copy(in, in) })
	a := stranger()
	a.Learn(seed.ID(), seed.Addrs()...)
	if _, err := a.Call(ctx, seed.ID(), transport.KindUser, nil); !errors.Is(err, transport.ErrNotMember) {
		t.Errorf("call before joining: %v", err)
	}
	if _, at, err := a.Join(ctx, token.String()); err != nil || at.Peer != seed.ID() {
		t.Fatalf("join: %v, seed %v", err, at)
	}
	if n := kept.Load(); n != 1 {
		t.Errorf("the use of a token was kept %d times before its answer", n)
	}
	if got, err := a.Call(ctx, seed.ID(), transport.KindUser, []byte("hi")); err != nil || string(got) != "hi" {
		t.Errorf("call after joining: %q, %v", got, err)
	}

	other, err := admit.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	expired, err := m.Authority.Token(admit.Member, 1, time.Now().Add(-time.Hour), seed.Addrs())
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.Token(admit.Member, 1, time.Now().Add(time.Hour), seed.Addrs())
	if err != nil {
		t.Fatal(err)
	}
	wrong := token
	wrong.Uses = 99
	for _, c := range []struct {
		name, token string
		want        error
	}{
		{"used up", token.String(), admit.ErrTokenSpent},
		{"expired", expired.String(), admit.ErrTokenExpired},
		{"of another mesh", foreign.String(), admit.ErrForeign},
		{"changed", wrong.String(), admit.ErrToken},
		{"garbage", "hello", admit.ErrMalformed},
		{"cut off", token.String()[:50], admit.ErrMalformed},
	} {
		if _, _, err := stranger().Join(ctx, c.token); !errors.Is(err, c.want) {
			t.Errorf("token %s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestStrangersAreRefused(t *testing.T) {
	ctx := testContext(t)
	m, foreign := transporttest.New(t, 1, nil), transporttest.New(t, 1, nil)
	host, outsider := m.Hosts[0], foreign.Hosts[0]
	host.Handle(transport.KindUser, func(context.Context, *transport.Incoming) { t.Error("a stranger reached a handler") })
	outsider.Learn(host.ID(), host.Addrs()...)
	if _, err := outsider.Call(ctx, host.ID(), transport.KindUser, nil); !errors.Is(err, admit.ErrForeign) {
		t.Errorf("a member of another mesh: %v", err)
	}
}
