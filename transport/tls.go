package transport

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"time"

	ic "github.com/libp2p/go-libp2p/core/crypto"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"golang.org/x/time/rate"

	"github.com/cleave-mesh/cleave/transport/admit"
)

// Cleave's application protocols on the one port, beside libp2p's.
const (
	alpnMember = "cleave/1"
	alpnJoin   = "cleave-join/1"
)

// membershipOID marks the X.509 extension that carries the proof of membership beside libp2p's signed key. Arc 2.25 needs no
// registration.
var membershipOID = asn1.ObjectIdentifier{2, 25, 1668048225}

// certificate is what the host shows in handshakes, with the credentials that it was made from.
type certificate struct {
	creds *admit.Credentials
	tls   *tls.Certificate
}

// setCredentials makes the host prove, and judge by, new credentials. nil: none yet. h.credMu is held, or the host has not
// begun.
func (h *Host) setCredentials(c *admit.Credentials) error {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return fmt.Errorf("transport: make certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(100, 0, 0),
		Subject:      pkix.Name{SerialNumber: serial.String()},
	}
	if c != nil {
		template.ExtraExtensions = []pkix.Extension{{Id: membershipOID, Value: c.Proof().Append(nil)}}
	}
	id, err := libp2ptls.NewIdentity(h.identity.key, libp2ptls.WithCertTemplate(template))
	if err != nil {
		return fmt.Errorf("transport: make certificate: %w", err)
	}
	conf, _ := id.ConfigForPeer("")
	h.cert.Store(&certificate{creds: c, tls: &conf.Certificates[0]})
	return nil
}

// SetCredentials replaces the host's credentials, after a renewal. Connections that stand go on until what was shown for them ends: see
// expire.go.
func (h *Host) SetCredentials(c *admit.Credentials) error {
	if c == nil {
		return ErrNotMember
	}
	h.credMu.Lock()
	defer h.credMu.Unlock()
	for _, r := range h.remotes() { // who refused the old ones may take these
		r.mu.Lock()
		r.refused = nil
		r.mu.Unlock()
	}
	return h.setCredentials(c)
}

// Succeed believes that the mesh's authority has another key, and acts on it: the host shows the succession in its handshakes
// from now on, and soon renews its certificate under the new key. It reports whether the succession was news.
func (h *Host) Succeed(s admit.Succession) (bool, error) {
	h.credMu.Lock()
	creds := h.Credentials()
	if creds == nil {
		h.credMu.Unlock()
		return false, ErrNotMember
	}
	news, err := creds.Trust.Succeed(s, time.Now())
	if err == nil && news {
		err = h.setCredentials(creds)
	}
	h.credMu.Unlock()
	if err != nil || !news {
		return news, err
	}
	h.log.Info("the mesh's authority has a new key", "number", s.Number, "old key ends", s.End)
	if h.cfg.Renewed != nil {
		h.cfg.Renewed(creds)
	}
	select {
	case h.renewWake <- struct{}{}:
	default:
	}
	return true, nil
}

// Revoke believes an eviction and acts on it: the node's connections are closed, and new ones are refused. It reports whether
// the eviction was news.
func (h *Host) Revoke(r admit.Revocation) (bool, error) {
	creds := h.Credentials()
	if creds == nil {
		return false, ErrNotMember
	}
	news, err := creds.Trust.Revoke(r, time.Now())
	if err != nil || !news {
		return false, err
	}
	id, err := PeerIDOf(r.Subject[:])
	if err != nil {
		return true, nil // a subject that is no point of the curve can have no connection
	}
	h.log.Info("evicted", "peer", id.Short())
	if p, ok := h.known(id); ok {
		p.closeAll(CodeEvicted, admit.ErrEvicted.Error())
	}
	h.dropLibp2p(id, time.Now())
	return true, nil
}

// baseTLS is the part that both directions share. Certificates are checked by identify, against libp2p's key extension, not by
// X.509 roots.
func (h *Host) baseTLS(protos ...string) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		InsecureSkipVerify:     true,
		ClientAuth:             tls.RequireAnyClientCert,
		SessionTicketsDisabled: true,
		NextProtos:             protos,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return h.cert.Load().tls, nil
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return h.cert.Load().tls, nil
		},
	}
}

// serverTLS lets everyone in who proves an identity: membership is judged after the handshake, so that a refusal can say why.
func (h *Host) serverTLS(protos ...string) *tls.Config {
	conf := h.baseTLS(protos...)
	conf.VerifyPeerCertificate = func(raw [][]byte, _ [][]*x509.Certificate) error {
		_, _, err := identify(raw)
		return err
	}
	return conf
}

// portTLS is serverTLS for Cleave's protocols, and TLS that lets only members in for libp2p's.
func (h *Host) portTLS() *tls.Config {
	libp2p := h.baseTLS(alpnLibp2p)
	libp2p.VerifyPeerCertificate = h.verifyMember
	conf := h.serverTLS(alpnMember, alpnJoin)
	conf.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(hello.SupportedProtos, alpnLibp2p) && h.libp2p.Load() != nil {
			return libp2p, nil
		}
		return nil, nil
	}
	return conf
}

// verifyMember refuses within the handshake who is no member.
func (h *Host) verifyMember(raw [][]byte, _ [][]*x509.Certificate) error {
	public, proof, err := identify(raw)
	if err != nil {
		return err
	}
	_, _, err = h.judgeProof(public, proof)
	return err
}

// clientTLS accepts exactly the wanted peer, or anyone when want is "".
func (h *Host) clientTLS(want PeerID, proto string) *tls.Config {
	conf := h.baseTLS(proto)
	conf.VerifyPeerCertificate = func(raw [][]byte, _ [][]*x509.Certificate) error {
		public, _, err := identify(raw)
		if err != nil {
			return err
		}
		id, err := PeerIDOf(public)
		if err != nil {
			return err
		}
		if want != "" && id != want {
			return fmt.Errorf("dialled %s and reached %s", want.Short(), id.Short())
		}
		return nil
	}
	return conf
}

// identify checks that the certificate's holder has the identity's key, and extracts the proof of membership; empty when it
// shows none.
func identify(raw [][]byte) (ed25519.PublicKey, admit.Proof, error) {
	if len(raw) != 1 {
		return nil, admit.Proof{}, errors.New("want exactly one certificate")
	}
	cert, err := x509.ParseCertificate(raw[0])
	if err != nil {
		return nil, admit.Proof{}, errors.New("unreadable certificate")
	}
	return identifyCertificate(cert)
}

func identifyCertificate(cert *x509.Certificate) (ed25519.PublicKey, admit.Proof, error) {
	key, err := libp2ptls.PubKeyFromCertChain([]*x509.Certificate{cert})
	if err != nil {
		return nil, admit.Proof{}, fmt.Errorf("certificate does not prove an identity: %w", err)
	}
	raw, err := key.Raw()
	if err != nil || key.Type() != ic.Ed25519 {
		return nil, admit.Proof{}, errors.New("identity is not an ed25519 key")
	}
	for _, e := range cert.Extensions {
		if e.Id.Equal(membershipOID) {
			proof, err := admit.ParseProof(e.Value)
			if err != nil {
				return nil, admit.Proof{}, err
			}
			return raw, proof, nil
		}
	}
	return raw, admit.Proof{}, nil
}

// judge decides whether the other end of a handshake is a member of this host's mesh, and returns its chain.
func (h *Host) judge(certs []*x509.Certificate) (PeerID, admit.Chain, error) {
	if len(certs) != 1 {
		return "", nil, admit.ErrStranger
	}
	public, proof, err := identifyCertificate(certs[0])
	if err != nil {
		return "", nil, err
	}
	return h.judgeProof(public, proof)
}

// judgeProof decides by the membership that the holder of a key has shown.
func (h *Host) judgeProof(public ed25519.PublicKey, proof admit.Proof) (PeerID, admit.Chain, error) {
	id, err := PeerIDOf(public)
	if err != nil {
		return "", nil, err
	}
	creds := h.Credentials()
	if creds == nil {
		return id, nil, ErrNotMember
	}
	for _, s := range proof.Line { // proves itself, whoever shows it; a line that is not ours leaves the chain foreign
		if _, err := h.Succeed(s); err != nil {
			h.log.Debug("succession not believed", "peer", id.Short(), "reason", err.Error())
			break
		}
	}
	if _, err := creds.Trust.Verify(proof.Chain, public, time.Now()); err != nil {
		return id, nil, err
	}
	return id, proof.Chain, nil
}

// Handshakes from addresses that have not proved to receive are answered with a Retry beyond this rate, so that spoofed
// floods cost no state.
const (
	unverifiedPerSecond = 200
	unverifiedBurst     = 400
)

func newSourceCheck() func(net.Addr) bool {
	limit := rate.NewLimiter(unverifiedPerSecond, unverifiedBurst)
	return func(net.Addr) bool { return !limit.Allow() }
}
