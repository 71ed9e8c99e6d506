package transport

import (
	"context"
	"errors"
	"time"

	"github.com/quic-go/quic-go"
)

// MaxPacket is the most bytes of a packet that every path carries.
const MaxPacket = 1150

// Kinds of datagrams. Append only.
const (
	packetGossip = 1
	packetPing   = 2
	packetPong   = 3
	// 4 and 5 were packets of relayed connections.
)

// PacketHandler receives a gossip packet; it must not block, and owns b.
type PacketHandler func(from PeerID, b []byte, received time.Time)

// HandlePackets makes fn receive gossip packets; nil drops them.
func (h *Host) HandlePackets(fn PacketHandler) { h.packets.Store(&fn) }

// SendPacket sends one packet of at most MaxPacket bytes without promise of arrival, dialling the peer if needed. It waits for
// the dial, not for the packet.
func (h *Host) SendPacket(ctx context.Context, to PeerID, b []byte) error {
	if len(b) > MaxPacket {
		return ErrTooLarge
	}
	l, err := h.connect(ctx, to)
	if err != nil {
		return err
	}
	return h.sendDatagram(l, packetGossip, b)
}

// Connected tells whether a connection to the peer stands, so that a packet would go out at once.
func (h *Host) Connected(id PeerID) bool {
	r, ok := h.known(id)
	return ok && r.current() != nil
}

func (h *Host) sendDatagram(l *link, kind byte, b []byte) error {
	err := l.conn.SendDatagram(append([]byte{kind}, b...))
	var large *quic.DatagramTooLargeError
	if errors.As(err, &large) {
		return ErrTooLarge
	}
	return err
}

// receivePackets dispatches a connection's datagrams until it ends.
func (h *Host) receivePackets(l *link) {
	for {
		b, err := l.conn.ReceiveDatagram(h.ctx)
		if err != nil {
			return
		}
		if len(b) == 0 {
			continue
		}
		switch b[0] {
		case packetGossip:
			if fn := h.packets.Load(); fn != nil && *fn != nil {
				(*fn)(l.peer.id, b[1:], time.Now())
			}
		case packetPing:
			if len(b) <= 1+pingLen {
				_ = h.sendDatagram(l, packetPong, b[1:])
			}
		case packetPong:
			h.pong(l.peer, b[1:], time.Now())
		}
	}
}
