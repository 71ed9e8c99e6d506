// Package transport moves opaque bytes between the members of a mesh over one UDP port.
//
// A Host owns the socket. Peers prove an ed25519 identity and a membership certificate in the TLS handshake of QUIC; nothing
// that a stranger sends is read by the application. Between two members there is one connection, dialled when first needed.
//
// Every exchange is a bidirectional QUIC stream of its own, so that a lost packet of one tensor never holds up another, and
// cancellation of one is felt by nobody else. All integers are big-endian.
//
//	request  := preamble [tensor header] body FIN
//	preamble := version(1)=1 urgency(1) kind(2) remaining(8, microseconds; 0: no deadline)
//	tensor header (kind 1 only) :=
//	    request(16) plan(8) epoch(8) stage(4) value(4) codec(2) attempt(2) size(8; 0: unknown) extra length(2) extra
//	answer   := status(1)=0 reply FIN              the reply of a tensor is its receipt (below)
//	          | status(1)>0 length(2) text FIN
//	receipt  := bytes(8) total(8, ns) tail bytes(8) tail(8, ns)      what the receiver saw, for path estimates
//
// A stream that is given up is reset with an application error code; the codes are the Code constants. Joining speaks a
// protocol of its own (join.go), and so does renewal (renew.go). KindObserve asks with an empty request how the peer sees this
// host, and the answer is "ip:port". Datagrams are
//
//	datagram := 1 gossip packet
//	          | 2 time(8) | 3 time(8)      ping and pong: the pong gives back the ping's time
//
// On the same port, beside Cleave's application protocols, libp2p finds members on the LAN (lan.go), reserves places at relays
// (relays.go) and punches holes. It speaks to members only: its handshakes demand the same certificate (lend.go, gate.go). Packets
// between members without a direct path go through a libp2p stream (tunnel.go).
package transport
