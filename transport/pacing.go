package transport

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cleave-mesh/cleave/transport/pace"
)

// pacing is the pacer of one peer's connection; owned by the watch loop.
type pacing struct {
	pacer pace.Pacer
	conn  *quic.Conn
	to    netip.AddrPort
}

// follow lets reading from the socket wait for a connection that has not processed what was read.
func (h *Host) follow(conn *quic.Conn) {
	if addr, ok := conn.RemoteAddr().(*net.UDPAddr); ok {
		context.AfterFunc(conn.Context(), h.pace.Follow(addr.AddrPort(), func() uint64 { return conn.ConnectionStats().PacketsReceived }))
	}
}

// pacePeer lets the pacer see what the connection sent and lost, and sets the rate that it decides.
func (h *Host) pacePeer(r *remote, l *link, now time.Time) {
	p := &r.pacing
	addr, ok := l.conn.RemoteAddr().(*net.UDPAddr)
	if !ok || l.relayed {
		return
	}
	to := addr.AddrPort()
	if p.conn != l.conn || p.to != to {
		h.unpace(r)
		*p = pacing{conn: l.conn, to: to}
	}
	st := l.conn.ConnectionStats()
	h.pace.Pace(to, p.pacer.Step(now, pace.Sample{
		Sent: st.BytesSent, Lost: st.BytesLost, RTT: st.MinRTT, Queued: st.SmoothedRTT - st.MinRTT, Held: h.pace.Held(to),
	}))
}

// unpace lets packets to a peer pass.
func (h *Host) unpace(r *remote) {
	if r.pacing.conn != nil {
		h.pace.Pace(r.pacing.to, 0)
		r.pacing = pacing{}
	}
}
