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
	mesh MeshID

	rotating sync.Mutex // one rotation at a time

	mu    sync.Mutex
	key   ed25519.PrivateKey
	chain Chain              // of the issuer itself; nil for the authority's key
	line  []Succession       // how the authority's key came from the founder's; nil for other issuers
	used  map[[8]byte]uint16 // tokens redeemed, by id
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

// signer is what signs now, and the issuer's own chain.
func (a *Issuer) signer() (ed25519.PrivateKey, Chain) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.key, a.chain
}

// Public is the key that signs.
func (a *Issuer) Public() ed25519.PublicKey {
	key, _ := a.signer()
	return key.Public().(ed25519.PublicKey)
}

// Root tells whether the issuer keeps the mesh's authority key; else it signs in the name of a node.
func (a *Issuer) Root() bool {
	_, chain := a.signer()
	return len(chain) == 0
}

// Founder is the key that the mesh was founded with, as far as the issuer knows: that of the authority's line.
func (a *Issuer) Founder() ed25519.PublicKey {
	if line := a.Line(); len(line) > 0 {
		return line[0].Old[:]
	}
	return a.Public()
}

// Line lists the successions that led to the authority's key.
func (a *Issuer) Line() []Succession {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Succession(nil), a.line...)
}

// Renewed gives an issuer that signs in a node's name the node's new certificate.
func (a *Issuer) Renewed(chain Chain) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.chain) != 0 && len(chain) != 0 && chain[0].Role == Authority && len(chain) < MaxChain {
		a.chain = chain
	}
}

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
	key, chain := a.signer()
	c.sign(key)
	return append(Chain{c}, chain...), nil
}

// Evict makes the statement that a node is out.
func (a *Issuer) Evict(subject ed25519.PublicKey, now time.Time) Revocation {
	key, chain := a.signer()
	r := Revocation{
		Mesh: a.mesh, Subject: KeyOf(subject), Time: now.Truncate(time.Second).UTC(),
		Issuer: KeyOf(key.Public().(ed25519.PublicKey)), Chain: chain,
	}
	copy(r.Signature[:], ed25519.Sign(key, r.appendSigned([]byte(revocationTag))))
	return r
}

// macOf authenticates a token's fields.
func macOf(key ed25519.PrivateKey, t *Token) [16]byte {
	h := hmac.New(sha256.New, append([]byte("cleave join token\x00"), key.Seed()...))
	h.Write(t.appendFields(nil))
	return [16]byte(h.Sum(nil)[:16])
}

// Token makes a join token: whoever holds it may join, with the role, until expiry, at most uses times in all. seeds are
// addresses ("ip:port") of nodes that admit, this authority's node first.
func (a *Issuer) Token(role Role, uses int, expiry time.Time, seeds []string) (Token, error) {
	key, _ := a.signer()
	t := Token{
		Role: role, Uses: uint16(min(max(uses, 1), 65535)), Expiry: expiry.Truncate(time.Second).UTC(),
		Authority: KeyOf(key.Public().(ed25519.PublicKey)), Seeds: seeds,
	}
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
	t.MAC = macOf(key, &t)
	return t, nil
}

// Redeem checks a token and counts its use.
func (a *Issuer) Redeem(t Token, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	want := macOf(a.key, &t)
	if !hmac.Equal(want[:], t.MAC[:]) {
		return ErrToken
	}
	if now.After(t.Expiry) {
		return ErrTokenExpired
	}
	if a.used[t.ID] >= t.Uses {
		return ErrTokenSpent
	}
	a.used[t.ID]++
	return nil
}
