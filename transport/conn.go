package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cleave-mesh/cleave/transport/admit"
)

const (
	// dialTimeout bounds one attempt to reach a peer over all its addresses.
	dialTimeout = 8 * time.Second
	// dialStagger is how long one address is tried alone before the next one joins.
	dialStagger = 250 * time.Millisecond
	// refusedPause is how long a peer that refused this host's membership is not dialled again.
	refusedPause = 10 * time.Second
	// retireAfter is how long a connection that another one replaced stays open for streams already under way.
	retireAfter = 2 * time.Second
)

// link is one QUIC connection to a member.
type link struct {
	conn   *quic.Conn
	peer   *remote
	member admit.Certificate
	dialed bool
	// relayed links go through a relay: see relay.go.
	relayed bool

	forward  atomic.Pointer[forwarder]
	active   atomic.Int32 // streams open in either direction
	retiring atomic.Bool
}

// remote is one peer: its connections and its path.
type remote struct {
	id   PeerID
	path *estimator

	punching atomic.Bool // an introduction is under way on this side
	pacing   pacing

	mu    sync.Mutex
	links []*link // live; the last is preferred
	dial  *dialing
	gone  bool
	// refused is the peer's refusal of this host's membership, and when it came.
	refused   error
	refusedAt time.Time
	watch     liveness
	up        context.Context // ends when a direct link comes up; made by directUp
	upNow     context.CancelFunc
}

// dialing is an attempt to connect that several callers wait for.
type dialing struct {
	done chan struct{}
	link *link
	err  error
}

func newRemote(id PeerID) *remote { return &remote{id: id, path: newEstimator()} }

// current is the connection that new streams use; nil when there is none.
func (r *remote) current() *link {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.links) == 0 {
		return nil
	}
	return r.links[len(r.links)-1]
}

// direct is a connection that does not go through a relay; nil when there is none.
func (r *remote) direct() *link {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range slices.Backward(r.links) {
		if !l.relayed {
			return l
		}
	}
	return nil
}

// directUp ends when the next direct link comes up.
func (r *remote) directUp() context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.up == nil {
		r.up, r.upNow = context.WithCancel(context.Background())
	}
	return r.up
}

func (r *remote) closeAll(code Code, why string) {
	r.mu.Lock()
	links := slices.Clone(r.links)
	r.mu.Unlock()
	for _, l := range links {
		_ = l.conn.CloseWithError(quic.ApplicationErrorCode(code), why)
	}
}

// connect returns the standing connection, or dials.
func (h *Host) connect(ctx context.Context, id PeerID) (*link, error) {
	if id == h.ID() {
		return nil, fmt.Errorf("transport: connect: %s is this host itself", id.Short())
	}
	if h.Credentials() == nil {
		return nil, ErrNotMember
	}
	r := h.remote(id)
	if l := r.current(); l != nil {
		return l, nil
	}
	r.mu.Lock()
	if r.refused != nil && time.Since(r.refusedAt) < refusedPause {
		defer r.mu.Unlock()
		return nil, fmt.Errorf("transport: connect to %s: %w", id.Short(), r.refused)
	}
	d := r.dial
	if d == nil {
		d = &dialing{done: make(chan struct{})}
		if !h.enter() {
			r.mu.Unlock()
			return nil, ErrClosed
		}
		r.dial = d
		go func() {
			defer h.wg.Done()
			d.link, d.err = h.dialPeer(r)
			r.mu.Lock()
			r.dial = nil
			r.mu.Unlock()
			close(d.done)
		}()
	}
	r.mu.Unlock()
	select {
	case <-d.done:
		return d.link, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// dialPeer reaches a peer by its known addresses, by an introduction, or through a relay, in this order.
func (h *Host) dialPeer(r *remote) (*link, error) {
	ctx, cancel := context.WithTimeout(h.ctx, dialTimeout)
	defer cancel()
	helpers := h.introducers(r.id)
	wait := dialTimeout
	if len(helpers) > 0 {
		wait = directTimeout
	}
	l, err := h.dialDirect(ctx, r, wait)
	if err == nil {
		return l, nil
	}
	errs := []error{err}
	for _, relay := range helpers {
		if l, err = h.introduced(ctx, relay, r); err == nil {
			return l, nil
		}
		errs = append(errs, err)
		var remote *RemoteError
		if errors.As(err, &remote) {
			continue // the relay does not know the peer either
		}
		if l, err = h.dialRelayed(ctx, relay, r); err == nil {
			return l, nil
		}
		errs = append(errs, err)
	}
	if l := r.current(); l != nil { // the peer dialled us meanwhile
		return l, nil
	}
	if h.ctx.Err() != nil {
		return nil, ErrClosed
	}
	return nil, fmt.Errorf("transport: connect to %s: %w", r.id.Short(), errors.Join(errs...))
}

// dialDirect tries the peer's known addresses.
func (h *Host) dialDirect(ctx context.Context, r *remote, wait time.Duration) (*link, error) {
	addrs := h.book.of(r.id)
	if len(addrs) == 0 {
		return nil, ErrNoAddress
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return h.dialMember(ctx, r, addrs)
}

// dialMember tries addresses, each a little after the one before, and keeps the first that answers as the peer.
func (h *Host) dialMember(ctx context.Context, r *remote, addrs []string) (*link, error) {
	conn, err := h.dialAny(ctx, addrs, r.id, alpnMember)
	if err != nil {
		return nil, refusal(err)
	}
	return h.dialed(r, conn, false)
}

// dialAny races a peer's addresses. The losers are closed.
func (h *Host) dialAny(ctx context.Context, addrs []string, want PeerID, proto string) (*quic.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		conn *quic.Conn
		err  error
	}
	results := make(chan result, len(addrs))
	for i, a := range addrs {
		go func() {
			wait := time.NewTimer(time.Duration(i) * dialStagger)
			defer wait.Stop()
			select {
			case <-wait.C:
			case <-ctx.Done():
				results <- result{nil, ctx.Err()}
				return
			}
			udp, err := net.ResolveUDPAddr("udp", a)
			if err != nil {
				results <- result{nil, fmt.Errorf("address %q: %w", a, err)}
				return
			}
			conn, err := h.tr.Dial(ctx, udp, h.clientTLS(want, proto), h.quicConf)
			results <- result{conn, err}
		}()
	}
	var won *quic.Conn
	var errs []error
	for range addrs {
		r := <-results
		switch {
		case r.err != nil:
			if won == nil && !errors.Is(r.err, context.Canceled) {
				errs = append(errs, r.err)
			}
		case won == nil:
			won = r.conn
			cancel()
		default:
			_ = r.conn.CloseWithError(quic.ApplicationErrorCode(CodeDuplicate), "another address was faster")
		}
	}
	if won != nil {
		return won, nil
	}
	if err := ctx.Err(); err != nil && len(errs) == 0 {
		return nil, err
	}
	return nil, errors.Join(errs...)
}

// acceptLoop takes connections in until the listener closes.
func (h *Host) acceptLoop(ln *quic.Listener, relayed bool) {
	defer h.wg.Done()
	for {
		conn, err := ln.Accept(h.ctx)
		if err != nil {
			return
		}
		if !h.enter() {
			_ = conn.CloseWithError(quic.ApplicationErrorCode(CodeClosing), "host is closing")
			continue
		}
		go func() {
			defer h.wg.Done()
			h.incoming(conn, relayed)
		}()
	}
}

// incoming judges a new connection before anything that came on it is read.
func (h *Host) incoming(conn *quic.Conn, relayed bool) {
	state := conn.ConnectionState().TLS
	if state.NegotiatedProtocol == alpnJoin {
		h.serveJoin(conn)
		return
	}
	id, member, err := h.judge(state)
	if err == nil && id == h.ID() {
		err = errors.New("this is my own identity")
	}
	if err != nil {
		h.log.Warn("connection refused", "addr", conn.RemoteAddr().String(), "peer", id.Short(), "reason", err.Error())
		_ = conn.CloseWithError(quic.ApplicationErrorCode(codeOfJudgement(err)), err.Error())
		return
	}
	if !relayed {
		h.book.learn(id, []string{conn.RemoteAddr().String()})
	}
	r := h.remote(id)
	// adopt fails only when the host closes, and has closed the connection then.
	_, _ = h.adopt(r, &link{conn: conn, peer: r, member: member, relayed: relayed})
}

func codeOfJudgement(err error) Code {
	if errors.Is(err, admit.ErrEvicted) {
		return CodeEvicted
	}
	return CodeStranger
}

// refusal turns the other side's refusal of membership into ErrRefused with its reason.
func refusal(err error) error {
	var app *quic.ApplicationError
	if !errors.As(err, &app) || !app.Remote {
		return err
	}
	switch Code(app.ErrorCode) {
	case CodeEvicted:
		return fmt.Errorf("%w: %w", ErrRefused, admit.ErrEvicted)
	case CodeStranger, CodeRefused:
		return fmt.Errorf("%w: %s", ErrRefused, app.ErrorMessage)
	}
	return err
}

// adopt makes a judged connection the peer's, and serves it. Of two connections between the same peers, a direct one stays
// rather than a relayed one, then that dialled by the smaller identity, then the newer.
func (h *Host) adopt(r *remote, l *link) (*link, error) {
	if !h.enter() {
		_ = l.conn.CloseWithError(quic.ApplicationErrorCode(CodeClosing), "host is closing")
		return nil, ErrClosed
	}
	r.mu.Lock()
	first := len(r.links) == 0
	keep := l
	if !first {
		old := r.links[len(r.links)-1]
		smaller := h.ID() < r.id
		switch {
		case old.relayed != l.relayed:
			if l.relayed {
				keep = old
			}
		case old.dialed != l.dialed && old.dialed == smaller:
			keep = old
		}
	}
	if keep == l {
		r.links = append(r.links, l)
	} else {
		r.links = slices.Insert(r.links, 0, l)
	}
	r.watch.heard(time.Now())
	r.gone = false
	if !l.relayed && r.up != nil {
		r.upNow()
		r.up = nil
	}
	var retire []*link
	for _, o := range r.links {
		if o != keep && o.dialed && !o.retiring.Swap(true) {
			retire = append(retire, o)
		}
	}
	r.mu.Unlock()
	// An eviction that came between judging and now has not seen this connection.
	if public, err := r.id.Public(); err == nil {
		if c := h.Credentials(); c != nil && c.Trust.Evicted(public) {
			_ = l.conn.CloseWithError(quic.ApplicationErrorCode(CodeEvicted), admit.ErrEvicted.Error())
		}
	}
	if first {
		h.log.Info("peer connected", "peer", r.id.Short(), "addr", l.conn.RemoteAddr().String(), "dialed", l.dialed)
		h.events.put(PeerEvent{Kind: PeerConnected, Peer: r.id})
	}
	for _, o := range retire {
		h.retire(o)
	}
	go func() {
		defer h.wg.Done()
		h.serve(l)
	}()
	if l.dialed && !l.relayed && h.enter() {
		go func() {
			defer h.wg.Done()
			h.observe(l)
		}()
	}
	return keep, nil
}

// retire closes a replaced connection once its streams are done.
func (h *Host) retire(l *link) {
	if !h.enter() {
		return
	}
	go func() {
		defer h.wg.Done()
		tick := time.NewTicker(retireAfter)
		defer tick.Stop()
		for {
			select {
			case <-l.conn.Context().Done():
				return
			case <-tick.C:
				if l.active.Load() == 0 {
					_ = l.conn.CloseWithError(quic.ApplicationErrorCode(CodeDuplicate), "replaced by another connection")
					return
				}
			}
		}
	}()
}

// serve runs a connection until it ends.
func (h *Host) serve(l *link) {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		h.receivePackets(l)
	}()
	for {
		s, err := l.conn.AcceptStream(h.ctx)
		if err != nil {
			break
		}
		l.active.Add(1)
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer l.active.Add(-1)
			h.serveStream(l, s)
		}()
	}
	_ = l.conn.CloseWithError(quic.ApplicationErrorCode(CodeClosing), "host is closing")
	cause := refusal(context.Cause(l.conn.Context()))
	r := l.peer
	r.mu.Lock()
	if i := slices.Index(r.links, l); i >= 0 { // drop may have been faster
		r.links = slices.Delete(r.links, i, i+1)
	}
	if errors.Is(cause, ErrRefused) {
		r.refused, r.refusedAt = cause, time.Now()
	}
	last := len(r.links) == 0 && !r.gone
	if last {
		r.gone = true
	}
	r.mu.Unlock()
	if last {
		h.log.Info("peer lost", "peer", r.id.Short(), "cause", cause)
		h.events.put(PeerEvent{Kind: PeerLost, Peer: r.id, Err: cause})
	}
	wg.Wait()
}
