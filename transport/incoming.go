package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cleave-mesh/cleave/transport/admit"
)

// Incoming is the server's end of a stream: what the peer sends is read from it, the answer is written to it.
type Incoming struct {
	// From is the proven sender, Role its role in the mesh.
	From PeerID
	Role admit.Role
	Kind Kind
	// Header is set for KindTensor.
	Header Header
	// Deadline is when the sender's remaining time is over; zero when it set none.
	Deadline time.Time

	s     *quic.Stream
	link  *link
	clock arrivals
	// The flags are atomic because a handler may leave reading and writing to a goroutine of its own, as memberlist does.
	eof   atomic.Bool
	begun atomic.Bool // the answer's status is out
	ended atomic.Bool // the answer is complete, or the stream is reset
}

// Read reads the body. When a tensor's body is read to its end the sender's Send returns.
func (in *Incoming) Read(p []byte) (int, error) {
	n, err := in.s.Read(p)
	in.clock.add(n)
	if err == io.EOF {
		in.eof.Store(true)
		if in.Kind == KindTensor && !in.ended.Load() {
			in.ended.Store(true)
			if _, err := in.s.Write(in.clock.receipt().append([]byte{byte(CodeOK)})); err == nil {
				_ = in.s.Close()
			}
		}
	}
	return n, err
}

// ReadAll reads the whole body, at most limit bytes.
func (in *Incoming) ReadAll(limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err == nil && int64(len(b)) > limit {
		return nil, fmt.Errorf("body over %d bytes: %w", limit, ErrTooLarge)
	}
	return b, err
}

// Write adds to the answer of a Call or an opened stream.
func (in *Incoming) Write(p []byte) (int, error) {
	if in.Kind == KindTensor {
		return 0, errors.New("transport: a tensor stream has no answer but its receipt")
	}
	if in.ended.Load() {
		return 0, quic.ErrStreamClosed
	}
	if !in.begun.Load() {
		in.begun.Store(true)
		if len(p) > sendBuffer {
			if _, err := in.s.Write([]byte{byte(CodeOK)}); err != nil {
				return 0, err
			}
			return in.s.Write(p)
		}
		n, err := in.s.Write(append([]byte{byte(CodeOK)}, p...))
		return max(0, n-1), err
	}
	return in.s.Write(p)
}

// Fail ends the stream with an error that the peer sees as a RemoteError; after an answer has begun it sees a reset.
func (in *Incoming) Fail(code Code, text string) {
	if in.ended.Load() {
		return
	}
	in.ended.Store(true)
	if in.begun.Load() {
		in.s.CancelWrite(quic.StreamErrorCode(code))
	} else {
		_, _ = in.s.Write(appendFailure(nil, code, text))
		_ = in.s.Close()
	}
	if !in.eof.Load() {
		in.s.CancelRead(quic.StreamErrorCode(code))
	}
}

// SetDeadline, SetReadDeadline and SetWriteDeadline make later calls fail after t, as those of net.Conn.
func (in *Incoming) SetDeadline(t time.Time) error      { return in.s.SetDeadline(t) }
func (in *Incoming) SetReadDeadline(t time.Time) error  { return in.s.SetReadDeadline(t) }
func (in *Incoming) SetWriteDeadline(t time.Time) error { return in.s.SetWriteDeadline(t) }

// LocalAddr and RemoteAddr are those of the connection below.
func (in *Incoming) LocalAddr() net.Addr  { return in.link.conn.LocalAddr() }
func (in *Incoming) RemoteAddr() net.Addr { return in.link.conn.RemoteAddr() }

// serveStream reads a stream's opening and runs its handler.
func (h *Host) serveStream(l *link, s *quic.Stream) {
	in := &Incoming{From: l.peer.id, Role: l.rests.peer[0].Role, s: s, link: l}
	_ = s.SetReadDeadline(time.Now().Add(headerTimeout))
	p, err := readPreamble(s)
	if err == nil && p.kind == KindTensor {
		in.Header, err = readHeader(s)
		in.Header.Remaining, in.Header.Urgency = p.remaining, p.urgency
	}
	in.Kind = p.kind
	if err != nil {
		in.Fail(CodeMalformed, err.Error())
		return
	}
	_ = s.SetReadDeadline(time.Time{})
	s.SetPriority(p.urgency.rfc9218(p.remaining), true)
	fn, ok := h.handlers.get(p.kind)
	if !ok {
		in.Fail(CodeUnhandled, fmt.Sprintf("no handler for kind %d", p.kind))
		return
	}
	// The stream's context ends when the answer's direction closes, which for a tensor is its receipt: a handler goes on after
	// that, so only the peer's reset counts.
	ctx, cancel := context.WithCancel(h.ctx)
	defer cancel()
	stop := context.AfterFunc(s.Context(), func() {
		if !errors.Is(context.Cause(s.Context()), quic.ErrStreamClosed) {
			cancel()
		}
	})
	defer stop()
	if p.remaining > 0 {
		in.Deadline = time.Now().Add(p.remaining)
		var cancelTime context.CancelFunc
		ctx, cancelTime = context.WithDeadline(ctx, in.Deadline)
		defer cancelTime()
	}
	fn(ctx, in)
	in.finish()
}

// finish closes what the handler left open.
func (in *Incoming) finish() {
	switch {
	case in.ended.Load():
	case in.Kind == KindTensor:
		in.Fail(CodeRefused, "the tensor was not read to its end")
	case !in.begun.Load():
		in.ended.Store(true)
		_, _ = in.s.Write([]byte{byte(CodeOK)})
		_ = in.s.Close()
	default:
		in.ended.Store(true)
		_ = in.s.Close()
	}
	if !in.eof.Load() {
		in.s.CancelRead(quic.StreamErrorCode(CodeOK))
	}
}

// arrivals notes when a body's bytes came, for the receipt.
type arrivals struct {
	first, last time.Time
	bytes       uint64
	// marks are moments at which the count had doubled, to find the second half afterwards.
	marks [64]mark
	n     int
}

type mark struct {
	at    time.Time
	bytes uint64
}

const firstMark = 4 << 10

func (a *arrivals) add(n int) {
	if n == 0 {
		return
	}
	now := time.Now()
	if a.bytes == 0 {
		a.first = now
	}
	a.bytes += uint64(n)
	a.last = now
	if a.n < len(a.marks) && (a.n == 0 && a.bytes >= firstMark || a.n > 0 && a.bytes >= a.marks[a.n-1].bytes*5/4) {
		a.marks[a.n] = mark{now, a.bytes}
		a.n++
	}
}

// receipt takes as tail what came after the last mark at or before half of the bytes.
func (a *arrivals) receipt() receipt {
	r := receipt{bytes: a.bytes, total: a.last.Sub(a.first)}
	for i := a.n - 1; i >= 0; i-- {
		if a.marks[i].bytes <= a.bytes/2 {
			r.tailBytes, r.tail = a.bytes-a.marks[i].bytes, a.last.Sub(a.marks[i].at)
			break
		}
	}
	return r
}
