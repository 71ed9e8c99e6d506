package admit

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

// DefaultLifetime is how long a membership certificate is good; it is renewed when a third of that is left.
const DefaultLifetime = 90 * 24 * time.Hour

// Issuer signs certificates and revocations: the authority's own key, or a node that an authority made one. Safe for
// concurrent use.
type Issuer struct {
	key   ed25519.PrivateKey
	mesh  MeshID
	chain Chain // of the issuer itself; nil for the authority's key

	mu   sync.Mutex
	used map[[8]byte]uint16 // tokens redeemed, by id
}

// NewIssuer is a node with a certificate of role Authority, issuing in its own name.
func NewIssuer(identity ed25519.PrivateKey, chain Chain) (*Issuer, error) {
	if len(chain) == 0 || chain[0].Role != Authority || len(chain) >= MaxChain {
		return nil, fmt.Errorf("issue certificates: want a certificate of role authority at most %d deep: %w", MaxChain-1, ErrForged)
	}
	return &Issuer{key: identity, mesh: chain[0].Mesh, chain: chain, used: map[[8]byte]uint16{}}, nil
}

// NewAuthority makes a new mesh: a fresh authority key.
func NewAuthority() (*Issuer, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate authority: %w", err)
	}
	return AuthorityFromKey(private), nil
}

// AuthorityFromKey is the authority that founded the mesh of this key.
func AuthorityFromKey(private ed25519.PrivateKey) *Issuer {
	return &Issuer{
		key: private, mesh: MeshOf(private.Public().(ed25519.PublicKey)), used: map[[8]byte]uint16{},
	}
}

// Mesh names the issuer's mesh.
func (a *Issuer) Mesh() MeshID { return a.mesh }

// Public is the key that signs.
func (a *Issuer) Public() ed25519.PublicKey { return a.key.Public().(ed25519.PublicKey) }

// Issue makes a certificate for a node's identity; lifetime 0 means DefaultLifetime.
func (a *Issuer) Issue(subject ed25519.PublicKey, role Role, now time.Time, lifetime time.Duration) (Chain, error) {
	if len(subject) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("issue certificate: key of %d bytes, want %d: %w", len(subject), ed25519.PublicKeySize, ErrMalformed)
	}
	if lifetime == 0 {
		lifetime = DefaultLifetime
	}
	var serial [8]byte
	if _, err := rand.Read(serial[:]); err != nil {
		return nil, fmt.Errorf("issue certificate: %w", err)
	}
	c := Certificate{
		Mesh: a.mesh, Role: role, Subject: KeyOf(subject), Serial: binary.BigEndian.Uint64(serial[:]),
		NotBefore: now.Truncate(time.Second).UTC(), NotAfter: now.Add(lifetime).Truncate(time.Second).UTC(),
	}
	c.sign(a.key)
	return append(Chain{c}, a.chain...), nil
}

// Evict makes the statement that a node is out.
func (a *Issuer) Evict(subject ed25519.PublicKey, now time.Time) Revocation {
	r := Revocation{Mesh: a.mesh, Subject: KeyOf(subject), Time: now.Truncate(time.Second).UTC(), Issuer: KeyOf(a.Public()), Chain: a.chain}
	copy(r.Signature[:], ed25519.Sign(a.key, r.appendSigned([]byte(revocationTag))))
	return r
}

// mac authenticates a token's fields.
func (a *Issuer) mac(t *Token) [16]byte {
	h := hmac.New(sha256.New, append([]byte("cleave join token\x00"), a.key.Seed()...))
	h.Write(t.appendFields(nil))
	return [16]byte(h.Sum(nil)[:16])
}

// Token makes a join token: whoever holds it may join, with the role, until expiry, at most uses times in all. seeds are
// addresses ("ip:port") of nodes that admit, this authority's node first.
func (a *Issuer) Token(role Role, uses int, expiry time.Time, seeds []string) (Token, error) {
	t := Token{Role: role, Uses: uint16(min(max(uses, 1), 65535)), Expiry: expiry.Truncate(time.Second).UTC(), Authority: KeyOf(a.Public()), Seeds: seeds}
	if len(seeds) == 0 || len(seeds) > MaxSeeds {
		return Token{}, fmt.Errorf("make token: %d seed addresses, want 1 to %d", len(seeds), MaxSeeds)
	}
	for _, s := range seeds {
		if len(s) == 0 || len(s) > 255 {
			return Token{}, fmt.Errorf("make token: seed address of %d bytes", len(s))
		}
	}
	if _, err := rand.Read(t.ID[:]); err != nil {
		return Token{}, fmt.Errorf("make token: %w", err)
	}
	t.MAC = a.mac(&t)
	return t, nil
}

// Redeem checks a token and counts its use.
func (a *Issuer) Redeem(t Token, now time.Time) error {
	want := a.mac(&t)
	if !hmac.Equal(want[:], t.MAC[:]) {
		return ErrToken
	}
	if now.After(t.Expiry) {
		return ErrTokenExpired
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.used[t.ID] >= t.Uses {
		return ErrTokenSpent
	}
	a.used[t.ID]++
	return nil
}
