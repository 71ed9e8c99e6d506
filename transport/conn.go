package transport

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cleave-mesh/cleave/transport/admit"
)

// retireAfter is how long a connection that another one replaced stays open for streams already under way.
const retireAfter = 2 * time.Second

// link is one QUIC connection to a member.
type link struct {
	conn   *quic.Conn
	peer   *remote
	rests  membership // its lead is watchLoop's own
	dialed bool
	// relayed links go through a relay: see tunnel.go.
	relayed bool
	since   time.Time

	active   atomic.Int32 // streams open in either direction
	retiring atomic.Bool
}

// remote is one peer: its connections and its path.
type remote struct {
	id   PeerID
	path *estimator

	// Only keepPaths uses these: when a direct way beside a relayed one was last looked for, and when this peer was last asked how
	// it sees this host.
	tried, observed time.Time
	pacing          pacing

	mu    sync.Mutex
	links []*link // live; the last is preferred
	dial  *dialing
	gone  bool
	lost  time.Time // when the last link ended
	// refused is the peer's refusal of this host's membership, and when it came.
	refused   error
	refusedAt time.Time
	watch     liveness
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

// all is every connection to the peer.
func (r *remote) all() []*link {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.links)
}

func (r *remote) lostAt() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost
}

func (r *remote) closeAll(code Code, why string) {
	for _, l := range r.all() {
		_ = l.conn.CloseWithError(quic.ApplicationErrorCode(code), why)
	}
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
	if !l.relayed {
		h.follow(l.conn)
	}
	r.mu.Lock()
	first := len(r.links) == 0
	keep, better := l, false
	if !first {
		old := r.links[len(r.links)-1]
		smaller := h.ID() < r.id
		switch {
		case old.relayed != l.relayed:
			if l.relayed {
				keep = old
			}
			better = old.relayed
		case old.dialed != l.dialed && old.dialed == smaller:
			keep = old
		}
	}
	if keep == l {
		r.links = append(r.links, l)
	} else {
		r.links = slices.Insert(r.links, 0, l)
	}
	l.since = time.Now()
	r.watch.heard(l.since)
	r.gone = false
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
		h.report(PeerEvent{Kind: PeerConnected, Peer: r.id})
	}
	if better { // what was measured of the way through the relay is no longer true
		h.log.Info("peer reached directly", "peer", r.id.Short(), "addr", l.conn.RemoteAddr().String())
		h.Remeasure(r.id)
		h.report(PeerEvent{Kind: PeerChanged, Peer: r.id})
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
	relayed := slices.ContainsFunc(r.links, func(l *link) bool { return l.relayed })
	last := len(r.links) == 0 && !r.gone
	if last {
		r.gone, r.lost = true, time.Now()
	}
	r.mu.Unlock()
	if l.relayed && !relayed {
		h.tunnel.detach(r.id)
	}
	if last {
		h.log.Info("peer lost", "peer", r.id.Short(), "cause", cause)
		h.report(PeerEvent{Kind: PeerLost, Peer: r.id, Err: cause})
	}
	wg.Wait()
}
