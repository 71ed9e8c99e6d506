package admit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Limits of the wire.
const (
	// MaxChain is the most certificates in a chain.
	MaxChain = 4
	// CertificateSize is the bytes of one certificate.
	CertificateSize = 170
)

const (
	version        = 1
	signedSize     = CertificateSize - ed25519.SignatureSize
	certificateTag = "cleave membership certificate\x00"
)

// ClockSkew is how far two nodes' clocks may differ: a certificate is good that long before its start.
const ClockSkew = 5 * time.Minute

// Errors of admission. Each is one clear sentence for the person who joins.
var (
	// ErrMalformed says that bytes or text are not a certificate, chain, token or revocation.
	ErrMalformed = errors.New("malformed")
	// ErrStranger says that a peer showed no certificate at all.
	ErrStranger = errors.New("no membership certificate")
	// ErrForeign says that a certificate is of another mesh, or signed by nobody that this mesh trusts.
	ErrForeign = errors.New("membership of another mesh")
	// ErrForged says that a signature is wrong or a certificate belongs to another identity.
	ErrForged = errors.New("forged membership")
	// ErrExpired says that a certificate's time is over or has not begun.
	ErrExpired = errors.New("membership expired")
	// ErrEvicted says that the node was evicted from the mesh.
	ErrEvicted = errors.New("evicted from the mesh")
	// ErrToken says that a token was not made by this authority or was changed.
	ErrToken = errors.New("join token is not valid here")
	// ErrTokenExpired says that a token came too late.
	ErrTokenExpired = errors.New("join token has expired")
	// ErrTokenSpent says that a token has been used as often as it may be.
	ErrTokenSpent = errors.New("join token has been used up")
)

// MeshID names a mesh: the first 16 bytes of a hash of its founding authority's public key.
type MeshID [16]byte

func (m MeshID) String() string { return hex.EncodeToString(m[:4]) }

// MeshOf is the name of the mesh that the authority with this key founds.
func MeshOf(authority ed25519.PublicKey) MeshID {
	sum := sha256.Sum256(append([]byte("cleave mesh\x00"), authority...))
	return MeshID(sum[:16])
}

// Role says what a certificate's holder may do.
type Role uint8

// The roles. Append only.
const (
	Member    Role = 1 // hosts stages and infers
	Client    Role = 2 // infers, hosts nothing
	Authority Role = 3 // a member that may also issue certificates and evict
)

var roleNames = map[Role]string{Member: "member", Client: "client", Authority: "authority"}

func (r Role) String() string {
	if name, ok := roleNames[r]; ok {
		return name
	}
	return fmt.Sprintf("role %d", uint8(r))
}

// ParseRole is the inverse of Role.String.
func ParseRole(s string) (Role, error) {
	for r, name := range roleNames {
		if name == s {
			return r, nil
		}
	}
	return 0, fmt.Errorf("role %q: want member, client or authority", s)
}

// Key is an ed25519 public key as a comparable value.
type Key [ed25519.PublicKeySize]byte

// KeyOf copies a public key. It panics if the key's length is wrong, which no function of crypto/ed25519 produces.
func KeyOf(public ed25519.PublicKey) Key { return Key(public) }

// Certificate says that a node belongs to a mesh.
type Certificate struct {
	Mesh      MeshID
	Role      Role
	Subject   Key
	Serial    uint64
	NotBefore time.Time
	NotAfter  time.Time
	Issuer    Key
	Signature [ed25519.SignatureSize]byte
}

func (c *Certificate) appendSigned(dst []byte) []byte {
	dst = append(dst, version, byte(c.Role))
	dst = append(dst, c.Mesh[:]...)
	dst = append(dst, c.Subject[:]...)
	dst = binary.BigEndian.AppendUint64(dst, c.Serial)
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.NotBefore.Unix()))
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.NotAfter.Unix()))
	return append(dst, c.Issuer[:]...)
}

// Append adds the certificate's wire form.
func (c *Certificate) Append(dst []byte) []byte {
	return append(c.appendSigned(dst), c.Signature[:]...)
}

func (c *Certificate) sign(issuer ed25519.PrivateKey) {
	c.Issuer = KeyOf(issuer.Public().(ed25519.PublicKey))
	copy(c.Signature[:], ed25519.Sign(issuer, c.appendSigned([]byte(certificateTag))))
}

func (c *Certificate) signatureGood() bool {
	return ed25519.Verify(c.Issuer[:], c.appendSigned([]byte(certificateTag)), c.Signature[:])
}

func parseCertificate(b []byte) (Certificate, error) {
	if len(b) < CertificateSize {
		return Certificate{}, fmt.Errorf("certificate of %d bytes, want %d: %w", len(b), CertificateSize, ErrMalformed)
	}
	if b[0] != version {
		return Certificate{}, fmt.Errorf("certificate version %d, want %d: %w", b[0], version, ErrMalformed)
	}
	c := Certificate{Role: Role(b[1])}
	copy(c.Mesh[:], b[2:])
	copy(c.Subject[:], b[18:])
	c.Serial = binary.BigEndian.Uint64(b[50:])
	var ok [2]bool
	c.NotBefore, ok[0] = parseTime(b[58:])
	c.NotAfter, ok[1] = parseTime(b[66:])
	if !ok[0] || !ok[1] {
		return Certificate{}, fmt.Errorf("certificate time out of range: %w", ErrMalformed)
	}
	copy(c.Issuer[:], b[74:])
	copy(c.Signature[:], b[signedSize:])
	return c, nil
}

// maxUnix is the end of the year 9999: later times have no text form.
const maxUnix = 253402300799

func parseTime(b []byte) (time.Time, bool) {
	s := binary.BigEndian.Uint64(b)
	return time.Unix(int64(s&(1<<62-1)), 0).UTC(), s <= maxUnix
}

// Chain is a certificate and those of its issuers, leaf first. The last is signed by an authority's key.
type Chain []Certificate

// Append adds the chain's wire form.
func (ch Chain) Append(dst []byte) []byte {
	dst = append(dst, byte(len(ch)))
	for i := range ch {
		dst = ch[i].Append(dst)
	}
	return dst
}

// ParseChain reads a chain that fills b exactly. It checks form, not trust.
func ParseChain(b []byte) (Chain, error) {
	ch, rest, err := parseChain(b)
	if err == nil && len(rest) != 0 {
		err = fmt.Errorf("%d bytes after the chain: %w", len(rest), ErrMalformed)
	}
	if err != nil {
		return nil, err
	}
	return ch, nil
}

func parseChain(b []byte) (Chain, []byte, error) {
	if len(b) == 0 || b[0] == 0 || b[0] > MaxChain {
		return nil, nil, fmt.Errorf("chain length: want 1 to %d: %w", MaxChain, ErrMalformed)
	}
	n := int(b[0])
	b = b[1:]
	ch := make(Chain, n)
	for i := range ch {
		var err error
		if ch[i], err = parseCertificate(b); err != nil {
			return nil, nil, fmt.Errorf("certificate %d of the chain: %w", i, err)
		}
		b = b[CertificateSize:]
	}
	return ch, b, nil
}
