package transport

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cleave-mesh/cleave/transport/admit"
)

const (
	// joinTimeout bounds one join, on both sides.
	joinTimeout = 10 * time.Second
	// maxJoins is how many joins a host serves at a time. Strangers can reach this protocol, and QUIC buffers what they send up to its windows.
	maxJoins = 16
	// maxJoinReply is the most bytes of an answer to a join.
	maxJoinReply = 1 + ed25519.PublicKeySize + 2 + admit.MaxProof
)

// Reasons of a refused join, on the wire. Append only.
const (
	joinOK       = 0
	joinInvalid  = 1
	joinExpired  = 2
	joinSpent    = 3
	joinNotHere  = 4
	joinEvicted  = 5
	joinInternal = 6
)

var joinErrors = map[byte]error{
	joinInvalid: admit.ErrToken, joinExpired: admit.ErrTokenExpired, joinSpent: admit.ErrTokenSpent,
	joinNotHere:  errors.New("this node admits nobody: use the token with the node that made it"),
	joinEvicted:  admit.ErrEvicted,
	joinInternal: errors.New("the authority could not issue a certificate"),
}

// joinDesk is the authority's side of joining.
type joinDesk struct {
	issuer   *admit.Issuer
	redeemed func()
}

// ServeJoins makes the host admit whoever shows a token of the issuer. redeemed, when not nil, is called after each use of a
// token, before the answer: it keeps the issuer's state.
func (h *Host) ServeJoins(issuer *admit.Issuer, redeemed func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.issuer = &joinDesk{issuer, redeemed}
}

// serveJoin answers a stranger's one request: a token's text in, founder's key and proof of membership out.
func (h *Host) serveJoin(conn *quic.Conn) {
	ctx, cancel := context.WithTimeout(h.ctx, joinTimeout)
	defer cancel()
	select {
	case h.joins <- struct{}{}:
		defer func() { <-h.joins }()
	default:
		_ = conn.CloseWithError(quic.ApplicationErrorCode(CodeRefused), "many nodes are joining: try again in some seconds")
		return
	}
	defer func() { _ = conn.CloseWithError(quic.ApplicationErrorCode(CodeOK), "") }()
	s, err := conn.AcceptStream(ctx)
	if err != nil {
		return
	}
	_ = s.SetDeadline(time.Now().Add(joinTimeout))
	text, err := io.ReadAll(io.LimitReader(s, admit.MaxToken+1))
	if err != nil {
		return
	}
	reply := []byte{joinInvalid}
	if certs := conn.ConnectionState().TLS.PeerCertificates; len(certs) == 1 {
		if public, _, err := identifyCertificate(certs[0]); err == nil {
			if reply = h.admitStranger(public, string(text)); reply[0] == joinNotHere || reply[0] == joinInvalid {
				reply = h.passOn(ctx, public, string(text), reply)
			}
		}
	}
	_, _ = s.Write(reply)
	_ = s.Close()
	// The joiner closes the connection when it has read the answer.
	select {
	case <-conn.Context().Done():
	case <-ctx.Done():
	}
}

// admitStranger judges the token that the holder of a key has shown, and makes the answer.
func (h *Host) admitStranger(public ed25519.PublicKey, text string) []byte {
	h.mu.Lock()
	desk := h.issuer
	h.mu.Unlock()
	creds := h.Credentials()
	if desk == nil || creds == nil {
		return []byte{joinNotHere}
	}
	token, err := admit.ParseToken(text)
	if err != nil {
		return []byte{joinInvalid}
	}
	if creds.Trust.Evicted(public) {
		return []byte{joinEvicted}
	}
	switch err := desk.issuer.Redeem(token, time.Now()); {
	case errors.Is(err, admit.ErrTokenExpired):
		return []byte{joinExpired}
	case errors.Is(err, admit.ErrTokenSpent):
		return []byte{joinSpent}
	case err != nil:
		h.log.Warn("join refused", "reason", err.Error())
		return []byte{joinInvalid}
	}
	if desk.redeemed != nil {
		desk.redeemed()
	}
	if id, err := PeerIDOf(public); err == nil {
		h.log.Info("admitted", "peer", id.Short(), "role", token.Role.String())
	}
	return h.issue(desk.issuer, public, token.Role)
}

// Seed is a member that a join has found: where to begin gossip.
type Seed struct {
	Peer PeerID
	Addr string
}

// Join redeems a token's text at one of its seeds. The host is a member afterwards; the credentials are for the caller to
// Save. Errors are those of package admit, wrapped, or of the network when no seed answers.
func (h *Host) Join(ctx context.Context, token string) (*admit.Credentials, Seed, error) {
	t, err := admit.ParseToken(token)
	if err != nil {
		return nil, Seed{}, fmt.Errorf("join: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	conn, err := h.dialAny(ctx, t.Seeds, "", alpnJoin)
	if err != nil {
		return nil, Seed{}, fmt.Errorf("join: no seed of the token answers: %w", err)
	}
	defer func() { _ = conn.CloseWithError(quic.ApplicationErrorCode(CodeOK), "") }()
	seed, shown, err := h.judgeSeed(conn, t)
	if err != nil {
		return nil, Seed{}, fmt.Errorf("join at %s: %w", conn.RemoteAddr(), err)
	}
	creds, err := h.redeem(ctx, conn, token)
	if err != nil {
		return nil, Seed{}, fmt.Errorf("join at %s: %w", conn.RemoteAddr(), err)
	}
	seedKey, err := seed.Peer.Public()
	if err == nil {
		_, err = creds.Trust.Verify(shown.Chain, seedKey, time.Now())
	}
	if err != nil {
		return nil, Seed{}, fmt.Errorf("join at %s: the seed is not of the mesh that it admits to: %w", conn.RemoteAddr(), err)
	}
	if err := h.SetCredentials(creds); err != nil {
		return nil, Seed{}, err
	}
	h.book.learn(seed.Peer, []string{seed.Addr})
	return creds, seed, nil
}

// judgeSeed checks that the seed is admitted by the key that the token names, before the token is shown to it.
func (h *Host) judgeSeed(conn *quic.Conn, t admit.Token) (Seed, admit.Proof, error) {
	certs := conn.ConnectionState().TLS.PeerCertificates
	if len(certs) != 1 {
		return Seed{}, admit.Proof{}, admit.ErrStranger
	}
	public, proof, err := identifyCertificate(certs[0])
	if err != nil {
		return Seed{}, admit.Proof{}, err
	}
	// The token's key is the mesh's, or that of a node which was made an authority.
	if err := proof.Check(t.Authority, public, time.Now()); err != nil {
		return Seed{}, admit.Proof{}, err
	}
	id, err := PeerIDOf(public)
	return Seed{Peer: id, Addr: conn.RemoteAddr().String()}, proof, err
}

// redeem shows the token and checks what comes back.
func (h *Host) redeem(ctx context.Context, conn *quic.Conn, token string) (*admit.Credentials, error) {
	s, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	if t, ok := ctx.Deadline(); ok {
		_ = s.SetDeadline(t)
	}
	if _, err := s.Write([]byte(token)); err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(s, maxJoinReply))
	if err != nil {
		return nil, err
	}
	return parseJoinReply(b, h.identity.Public(), time.Now())
}

func parseJoinReply(b []byte, subject ed25519.PublicKey, now time.Time) (*admit.Credentials, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("empty answer: %w", errWire)
	}
	if b[0] != joinOK {
		if err, ok := joinErrors[b[0]]; ok {
			return nil, err
		}
		return nil, fmt.Errorf("refused with reason %d: %w", b[0], errWire)
	}
	b = b[1:]
	if len(b) < ed25519.PublicKeySize+2 {
		return nil, fmt.Errorf("answer is cut off: %w", errWire)
	}
	founder, b := ed25519.PublicKey(b[:ed25519.PublicKeySize]), b[ed25519.PublicKeySize:]
	n := int(binary.BigEndian.Uint16(b))
	if len(b) != 2+n {
		return nil, fmt.Errorf("answer of %d bytes, want %d: %w", len(b)-2, n, errWire)
	}
	proof, err := admit.ParseProof(b[2:])
	if err != nil {
		return nil, err
	}
	return admit.NewCredentials(founder, proof.Chain, subject, now, proof.Line...)
}
