package transport

import (
	"math/rand/v2"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cleave-mesh/cleave/transport/admit"
)

// A connection is as good as the certificates that were shown when it was made. In the last minutes of either, the side that dialled
// makes another, for which both show what they have by then; streams under way end on the old one. At the end the other
// side cuts the old one, and whoever has nothing better to show stays out.

const (
	// remakeLead is how long before its end a connection is made anew, and the spread beyond: a mesh whose authority has changed its
	// key does not shake hands all at once.
	remakeLead   = time.Minute
	remakeSpread = time.Minute
)

// membership is what a connection rests on.
type membership struct {
	own, peer admit.Chain   // as shown in the handshake
	lead      time.Duration // how long before the end the connection is made anew; 0: not any more
}

func newMembership(own, peer admit.Chain) membership {
	return membership{own: own, peer: peer, lead: remakeLead + rand.N(remakeSpread)}
}

// expire ends the connections with a peer whose certificates have ended, and makes those anew that are about to.
func (h *Host) expire(r *remote, now time.Time) {
	creds := h.Credentials()
	if creds == nil {
		return
	}
	for _, l := range r.all() {
		peer, own := creds.Trust.End(l.rests.peer), creds.Trust.End(l.rests.own)
		end := peer
		if own.Before(end) {
			end = own
		}
		switch left := end.Sub(now); {
		case now.After(peer): // the peer judges this host's own
			h.log.Info("membership has ended", "peer", r.id.Short(), "ended", peer)
			_ = l.conn.CloseWithError(quic.ApplicationErrorCode(CodeClosing), "the membership shown for this connection has ended")
			h.dropLibp2p(r.id, now)
		case left < l.rests.lead:
			l.rests.lead = 0
			// One that was made so late shows that nothing better was to be had.
			if l.dialed && !l.relayed && !l.retiring.Load() && end.Sub(l.since) > remakeLead+remakeSpread {
				h.remake(r)
			}
		}
	}
}

// remake dials a peer that there is a connection to; the new one replaces the old.
func (h *Host) remake(r *remote) {
	if !h.enter() {
		return
	}
	go func() {
		defer h.wg.Done()
		if _, err := h.dialDirect(h.ctx, r, handshakeTimeout); err != nil && h.ctx.Err() == nil {
			h.log.Info("connection not made anew before its membership ends", "peer", r.id.Short(), "error", err.Error())
		}
	}()
}
