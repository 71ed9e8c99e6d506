package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
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
)

// connect returns the standing connection, or dials.
func (h *Host) connect(ctx context.Context, id PeerID) (*link, error) {
	if id == h.ID() {
		return nil, fmt.Errorf("transport: connect: %s is this host itself", id.Short())
	}
	creds := h.Credentials()
	if creds == nil {
		return nil, ErrNotMember
	}
	if public, err := id.Public(); err == nil && creds.Trust.Evicted(public) {
		return nil, fmt.Errorf("transport: connect to %s: %w", id.Short(), admit.ErrEvicted)
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

// dialPeer reaches a peer by its known addresses or through a relay, in this order.
func (h *Host) dialPeer(r *remote) (*link, error) {
	ctx, cancel := context.WithTimeout(h.ctx, dialTimeout)
	defer cancel()
	relays := h.viaRelays(r.id)
	wait := dialTimeout
	if len(relays) > 0 {
		wait = directTimeout
	}
	l, err := h.dialDirect(ctx, r, wait)
	if err == nil {
		return l, nil
	}
	errs := []error{err}
	for _, via := range relays {
		if l, err = h.dialRelayed(ctx, via, r); err == nil {
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

// dialed judges a connection that this host has made, and adopts it.
func (h *Host) dialed(r *remote, conn *quic.Conn, relayed bool) (*link, error) {
	_, chain, err := h.judge(conn.ConnectionState().TLS.PeerCertificates)
	if err != nil {
		_ = conn.CloseWithError(quic.ApplicationErrorCode(codeOfJudgement(err)), err.Error())
		return nil, err
	}
	return h.adopt(r, &link{conn: conn, peer: r, rests: newMembership(h.Credentials().Chain, chain), dialed: true, relayed: relayed})
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
