package transport

import (
	"errors"

	"github.com/quic-go/quic-go"

	"github.com/cleave-mesh/cleave/transport/admit"
)

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
	switch state.NegotiatedProtocol {
	case alpnJoin:
		h.serveJoin(conn)
		return
	case alpnLibp2p: // judged within the handshake
		h.handOver(conn)
		return
	}
	id, chain, err := h.judge(state.PeerCertificates)
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
	_, _ = h.adopt(r, &link{conn: conn, peer: r, rests: newMembership(h.Credentials().Chain, chain), relayed: relayed})
}

func codeOfJudgement(err error) Code {
	if errors.Is(err, admit.ErrEvicted) {
		return CodeEvicted
	}
	return CodeStranger
}
