package transport

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

const (
	// sendBuffer gathers a header and small writes of a body into full packets.
	sendBuffer = 16 << 10
	// wholeFrom is the size in bytes from which tensors of one urgency go out one after the other. Sharing the path would finish
	// all of them late and at once, and leave it idle while all wait for their receipts; smaller ones pass beside them.
	wholeFrom = 256 << 10
	// headerTimeout is how long a peer may take from opening a stream to its complete header.
	headerTimeout = 10 * time.Second
)

// writers are the buffers of Send between uses.
var writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, sendBuffer) }}

// rfc9218 is the urgency on the wire of QUIC's scheduler.
func (u Urgency) rfc9218(remaining time.Duration) int8 {
	switch {
	case u != UrgencyAuto:
		return int8(u) - 1
	case remaining <= 0:
		return 4
	case remaining < 50*time.Millisecond:
		return 1
	case remaining < 250*time.Millisecond:
		return 2
	}
	return 3
}

// begin opens a stream and binds it to ctx. done must be called when the stream is finished with.
func (h *Host) begin(ctx context.Context, to PeerID, p preamble) (l *link, s *quic.Stream, done func(), err error) {
	for attempt := 1; ; attempt++ {
		if l, err = h.connect(ctx, to); err != nil {
			return nil, nil, nil, err
		}
		if s, err = l.conn.OpenStreamSync(ctx); err == nil {
			break
		}
		if ctx.Err() != nil || attempt == maxAttempts || !passing(err) {
			return nil, nil, nil, h.explain(ctx, to, err)
		}
		l.peer.drop(l)
		if err := pause(ctx, attempt); err != nil {
			return nil, nil, nil, h.explain(ctx, to, err)
		}
	}
	s.SetPriority(p.urgency.rfc9218(p.remaining), !p.whole)
	if l.active.Add(1) == 1 { // look closely from now on
		select {
		case h.watchWake <- struct{}{}:
		default:
		}
	}
	stop := context.AfterFunc(ctx, func() {
		s.CancelWrite(quic.StreamErrorCode(CodeCanceled))
		s.CancelRead(quic.StreamErrorCode(CodeCanceled))
	})
	return l, s, func() { stop(); l.active.Add(-1) }, nil
}

const (
	// maxAttempts is how often a stream is begun when connections end under it before anything was done.
	maxAttempts = 4
	// firstPause is the mean wait before the second attempt; it doubles.
	firstPause = 30 * time.Millisecond
)

// passing tells whether an error says nothing of the next attempt: the peer was too busy to accept, closed the connection in
// favour of another one, restarted, or had not been heard for long.
func passing(err error) bool {
	var transport *quic.TransportError
	if errors.As(err, &transport) {
		return transport.Remote && transport.ErrorCode == quic.ConnectionRefused
	}
	var app *quic.ApplicationError
	if errors.As(err, &app) {
		return Code(app.ErrorCode) == CodeDuplicate || Code(app.ErrorCode) == CodeClosing
	}
	var reset *quic.StatelessResetError
	var idle *quic.IdleTimeoutError
	return errors.As(err, &reset) || errors.As(err, &idle)
}

// pause waits before the next attempt, so that many peers which were refused at once do not come back at once.
func pause(ctx context.Context, attempt int) error {
	mean := firstPause << (attempt - 1)
	t := time.NewTimer(mean/2 + rand.N(mean))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drop takes a connection that is known to have ended out of use.
func (r *remote) drop(l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.links, l); i >= 0 && l.conn.Context().Err() != nil {
		r.links = slices.Delete(r.links, i, i+1)
	}
}

// explain turns an error of QUIC into one of this package.
func (h *Host) explain(ctx context.Context, to PeerID, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("transport: peer %s: %w", to.Short(), cause)
	}
	if h.ctx.Err() != nil {
		return ErrClosed
	}
	var remote *RemoteError
	if errors.As(err, &remote) {
		return err
	}
	var reset *quic.StreamError
	if errors.As(err, &reset) && reset.Remote {
		return &RemoteError{Peer: to, Code: Code(reset.ErrorCode), Text: "stream reset"}
	}
	return fmt.Errorf("transport: peer %s: %w", to.Short(), refusal(err))
}

func (h *Host) send(ctx context.Context, to PeerID, hd Header, body func(io.Writer) error) (err error) {
	if len(hd.Extra) > MaxExtra {
		return fmt.Errorf("transport: send: %d bytes of extra, limit %d: %w", len(hd.Extra), MaxExtra, ErrTooLarge)
	}
	if hd.Remaining == 0 {
		if t, ok := ctx.Deadline(); ok {
			hd.Remaining = max(time.Until(t), time.Microsecond)
		}
	}
	p := preamble{urgency: hd.Urgency, kind: KindTensor, remaining: hd.Remaining, whole: hd.Size == 0 || hd.Size >= wholeFrom}
	l, s, done, err := h.begin(ctx, to, p)
	if err != nil {
		return err
	}
	defer done()
	abort := func(code Code) {
		s.CancelWrite(quic.StreamErrorCode(code))
		s.CancelRead(quic.StreamErrorCode(code))
	}
	meter := l.peer.path.meter(s)
	defer func() {
		meter.close()
		if meter.changed {
			h.report(PeerEvent{Kind: PeerChanged, Peer: to})
		}
	}()
	w := writers.Get().(*bufio.Writer)
	w.Reset(meter)
	defer func() {
		w.Reset(nil)
		writers.Put(w)
	}()
	// bufio keeps the first error of its writer, so that Flush reports it.
	_, _ = w.Write(hd.append(p.append(nil)))
	if err := body(w); err != nil {
		abort(CodeCanceled)
		if meter.err != nil {
			return h.explain(ctx, to, h.answerInstead(s, to, meter.err))
		}
		return fmt.Errorf("transport: write body: %w", err)
	}
	if err := w.Flush(); err != nil {
		abort(CodeCanceled)
		return h.explain(ctx, to, h.answerInstead(s, to, err))
	}
	if err := h.endRequest(s, to); err != nil {
		return h.explain(ctx, to, err)
	}
	if err := readStatus(s, to); err != nil {
		abort(CodeCanceled)
		return h.explain(ctx, to, err)
	}
	rc, err := readReceipt(s)
	if err != nil {
		abort(CodeMalformed)
		return h.explain(ctx, to, err)
	}
	meter.finish(rc)
	_, _ = io.ReadFull(s, make([]byte, 1)) // the end of the stream, so that QUIC forgets it
	return nil
}

// endRequest closes the request's direction. A peer that has stopped reading in the meantime is asked why.
func (h *Host) endRequest(s *quic.Stream, to PeerID) error {
	if err := s.Close(); err == nil {
		return nil
	}
	return h.answerInstead(s, to, context.Cause(s.Context())) // Close does not say what ended the stream
}

// answerInstead is why the peer stopped reading, if it left an answer; otherwise the write error itself.
func (h *Host) answerInstead(s *quic.Stream, to PeerID, werr error) error {
	var reset *quic.StreamError
	if !errors.As(werr, &reset) || !reset.Remote {
		return werr
	}
	_ = s.SetReadDeadline(time.Now().Add(time.Second))
	if err := readStatus(s, to); err != nil {
		var remote *RemoteError
		if errors.As(err, &remote) {
			return err
		}
	}
	return werr
}

func (h *Host) call(ctx context.Context, to PeerID, kind Kind, request []byte) ([]byte, error) {
	if len(request) > MaxMessage {
		return nil, fmt.Errorf("transport: call: request of %d bytes, limit %d: %w", len(request), MaxMessage, ErrTooLarge)
	}
	for attempt := 1; ; attempt++ {
		answer, err := h.callOnce(ctx, to, kind, request)
		// A refused connection has carried nothing: the request can be made again.
		var refused *quic.TransportError
		if err == nil || attempt == maxAttempts || !errors.As(err, &refused) || !passing(err) {
			return answer, err
		}
		if perr := pause(ctx, attempt); perr != nil {
			return nil, err
		}
	}
}

func (h *Host) callOnce(ctx context.Context, to PeerID, kind Kind, request []byte) ([]byte, error) {
	s, err := h.open(ctx, to, kind, urgencyCtl)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if _, err := s.Write(request); err != nil {
		return nil, err
	}
	if err := s.CloseWrite(); err != nil {
		return nil, err
	}
	var answer bytes.Buffer
	n, err := io.Copy(&answer, io.LimitReader(s, MaxMessage+1))
	if err != nil {
		return nil, err
	}
	if n > MaxMessage {
		return nil, fmt.Errorf("transport: call: answer over %d bytes: %w", MaxMessage, ErrTooLarge)
	}
	return answer.Bytes(), nil
}

func (h *Host) open(ctx context.Context, to PeerID, kind Kind, u Urgency) (*Stream, error) {
	p := preamble{urgency: u, kind: kind}
	if t, ok := ctx.Deadline(); ok {
		p.remaining = max(time.Until(t), time.Microsecond)
	}
	l, s, done, err := h.begin(ctx, to, p)
	if err != nil {
		return nil, err
	}
	st := &Stream{host: h, ctx: ctx, link: l, s: s, done: done}
	if _, err := s.Write(p.append(nil)); err != nil {
		st.Close()
		return nil, h.explain(ctx, to, err)
	}
	return st, nil
}

// Stream is the opener's end of a stream in both directions. Reads and writes may go on at the same time, each from one
// goroutine.
type Stream struct {
	host *Host
	ctx  context.Context
	link *link
	s    *quic.Stream
	done func()

	answered bool // the status was read
	eof      bool
	wclosed  bool
}

// Peer is the other end.
func (st *Stream) Peer() PeerID { return st.link.peer.id }

// Write sends bytes of the request.
func (st *Stream) Write(p []byte) (int, error) {
	n, err := st.s.Write(p)
	if err != nil {
		err = st.host.explain(st.ctx, st.Peer(), st.host.answerInstead(st.s, st.Peer(), err))
	}
	return n, err
}

// CloseWrite ends the request: the peer's handler reads io.EOF.
func (st *Stream) CloseWrite() error {
	st.wclosed = true
	if err := st.host.endRequest(st.s, st.Peer()); err != nil {
		return st.host.explain(st.ctx, st.Peer(), err)
	}
	return nil
}

// Read reads the answer; io.EOF when the handler has returned. A handler that failed shows as a RemoteError.
func (st *Stream) Read(p []byte) (int, error) {
	if !st.answered {
		if err := readStatus(st.s, st.Peer()); err != nil {
			return 0, st.host.explain(st.ctx, st.Peer(), err)
		}
		st.answered = true
	}
	n, err := st.s.Read(p)
	if err == io.EOF {
		st.eof = true
	} else if err != nil {
		err = st.host.explain(st.ctx, st.Peer(), err)
	}
	return n, err
}

// Close frees the stream, giving up what is not finished.
func (st *Stream) Close() error {
	if !st.wclosed {
		st.s.CancelWrite(quic.StreamErrorCode(CodeCanceled))
	}
	if !st.eof {
		st.s.CancelRead(quic.StreamErrorCode(CodeCanceled))
	}
	st.done()
	return nil
}

// SetDeadline, SetReadDeadline and SetWriteDeadline make later calls fail after t, as those of net.Conn.
func (st *Stream) SetDeadline(t time.Time) error      { return st.s.SetDeadline(t) }
func (st *Stream) SetReadDeadline(t time.Time) error  { return st.s.SetReadDeadline(t) }
func (st *Stream) SetWriteDeadline(t time.Time) error { return st.s.SetWriteDeadline(t) }

// LocalAddr and RemoteAddr are those of the connection below.
func (st *Stream) LocalAddr() net.Addr  { return st.link.conn.LocalAddr() }
func (st *Stream) RemoteAddr() net.Addr { return st.link.conn.RemoteAddr() }
