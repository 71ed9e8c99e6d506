package admit

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Trust is what a node believes of its mesh: which authority keys are good, and who was evicted. Safe for concurrent use.
type Trust struct {
	mesh MeshID

	mu      sync.RWMutex
	line    []Succession
	roots   []Key // the founder's, then one for each succession
	revoked map[Key]Revocation
}

// NewTrust trusts the founding authority of a mesh; Succeed makes it trust the keys that follow.
func NewTrust(founder ed25519.PublicKey) *Trust {
	return &Trust{
		mesh:    MeshOf(founder),
		roots:   []Key{KeyOf(founder)},
		revoked: map[Key]Revocation{},
	}
}

// Mesh names the mesh.
func (t *Trust) Mesh() MeshID { return t.mesh }

// Verify judges a chain shown by the holder of subject's private key. On success the leaf is the holder's certificate.
func (t *Trust) Verify(ch Chain, subject ed25519.PublicKey, now time.Time) (Certificate, error) {
	return t.verify(ch, subject, now, now)
}

// verify judges what was signed at a time: the certificates must have been good then, while the authority's key must be good now.
func (t *Trust) verify(ch Chain, subject ed25519.PublicKey, at, now time.Time) (Certificate, error) {
	if len(ch) == 0 {
		return Certificate{}, ErrStranger
	}
	if len(ch) > MaxChain {
		return Certificate{}, fmt.Errorf("chain of %d certificates, limit %d: %w", len(ch), MaxChain, ErrMalformed)
	}
	if len(subject) != ed25519.PublicKeySize || ch[0].Subject != KeyOf(subject) {
		return Certificate{}, fmt.Errorf("certificate of another identity: %w", ErrForged)
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	for i := range ch {
		c := &ch[i]
		if c.Mesh != t.mesh {
			return Certificate{}, fmt.Errorf("certificate of mesh %s, this is mesh %s: %w", c.Mesh, t.mesh, ErrForeign)
		}
		if _, ok := roleNames[c.Role]; !ok {
			return Certificate{}, fmt.Errorf("certificate of %s: %w", c.Role, ErrMalformed)
		}
		if i > 0 && (c.Role != Authority || ch[i-1].Issuer != c.Subject) {
			return Certificate{}, fmt.Errorf("certificate issued by no authority: %w", ErrForged)
		}
		if !c.signatureGood() {
			return Certificate{}, fmt.Errorf("certificate signature: %w", ErrForged)
		}
		if at.After(c.NotAfter) {
			return Certificate{}, fmt.Errorf("certificate ended %s: %w", c.NotAfter.Format(time.RFC3339), ErrExpired)
		}
		if at.Add(ClockSkew).Before(c.NotBefore) {
			return Certificate{}, fmt.Errorf("certificate begins %s: %w", c.NotBefore.Format(time.RFC3339), ErrExpired)
		}
		// An evicted node's own certificates are void; those that it issued before its eviction stay good, so that evicting
		// one authority does not undo a mesh.
		if r, ok := t.revoked[c.Subject]; ok && (i == 0 || ch[i-1].NotBefore.After(r.Time)) {
			return Certificate{}, ErrEvicted
		}
	}
	last := ch[len(ch)-1].Issuer
	rank := t.rank(last)
	if rank < 0 {
		return Certificate{}, fmt.Errorf("certificate signed by an unknown authority: %w", ErrForeign)
	}
	if err := t.goodRoot(rank, now); err != nil {
		return Certificate{}, fmt.Errorf("certificate: %w", err)
	}
	// A key that was evicted signs nothing new, even a founding one.
	if r, ok := t.revoked[last]; ok && ch[len(ch)-1].NotBefore.After(r.Time) {
		return Certificate{}, ErrEvicted
	}
	return ch[0], nil
}

// End is when a chain that Verify has judged good ends: its first certificate to end, or its authority key.
func (t *Trust) End(ch Chain) time.Time {
	t.mu.RLock()
	defer t.mu.RUnlock()
	end := ch[0].NotAfter
	for i := range ch {
		if ch[i].NotAfter.Before(end) {
			end = ch[i].NotAfter
		}
	}
	if rank := t.rank(ch[len(ch)-1].Issuer); rank >= 0 && rank < len(t.line) && t.line[rank].End.Before(end) {
		end = t.line[rank].End
	}
	return end
}

// Evicted tells whether a node was evicted.
func (t *Trust) Evicted(subject ed25519.PublicKey) bool {
	if len(subject) != ed25519.PublicKeySize {
		return false
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, ok := t.revoked[KeyOf(subject)]
	return ok
}

// Revocations lists every eviction known, ordered by subject.
func (t *Trust) Revocations() []Revocation {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.SortedFunc(maps.Values(t.revoked), func(a, b Revocation) int {
		return slices.Compare(a.Subject[:], b.Subject[:])
	})
}

// revocationTag separates the signatures of revocations from all others.
const revocationTag = "cleave revocation\x00"

// revocationFixed is the bytes of a revocation before its chain.
const revocationFixed = 1 + 16 + 32 + 8 + 32 + 64

// MaxRevocation is the most bytes of a revocation.
const MaxRevocation = revocationFixed + 1 + MaxChain*CertificateSize

// Revocation is an authority's statement that a node is evicted.
type Revocation struct {
	Mesh      MeshID
	Subject   Key
	Time      time.Time
	Issuer    Key
	Signature [ed25519.SignatureSize]byte
	// Chain proves the issuer's authority; nil when the issuer is one of the mesh's authority keys.
	Chain Chain
}

func (r *Revocation) appendSigned(dst []byte) []byte {
	dst = append(dst, version)
	dst = append(dst, r.Mesh[:]...)
	dst = append(dst, r.Subject[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Time.Unix()))
	return append(dst, r.Issuer[:]...)
}

func (r *Revocation) signatureGood() bool {
	return ed25519.Verify(r.Issuer[:], r.appendSigned([]byte(revocationTag)), r.Signature[:])
}

// Append adds the revocation's wire form.
func (r *Revocation) Append(dst []byte) []byte {
	dst = append(r.appendSigned(dst), r.Signature[:]...)
	if len(r.Chain) == 0 {
		return append(dst, 0)
	}
	return r.Chain.Append(dst)
}

// ParseRevocation reads a revocation that fills b exactly. It checks form, not trust.
func ParseRevocation(b []byte) (Revocation, error) {
	if len(b) < revocationFixed+1 || b[0] != version {
		return Revocation{}, fmt.Errorf("revocation of %d bytes: %w", len(b), ErrMalformed)
	}
	var r Revocation
	copy(r.Mesh[:], b[1:])
	copy(r.Subject[:], b[17:])
	var ok bool
	if r.Time, ok = parseTime(b[49:]); !ok {
		return Revocation{}, fmt.Errorf("revocation time out of range: %w", ErrMalformed)
	}
	copy(r.Issuer[:], b[57:])
	copy(r.Signature[:], b[89:])
	rest := b[revocationFixed:]
	if len(rest) == 1 && rest[0] == 0 {
		return r, nil
	}
	var err error
	if r.Chain, err = ParseChain(rest); err != nil {
		return Revocation{}, fmt.Errorf("revocation: %w", err)
	}
	return r, nil
}

// Revoke believes a revocation, if an authority of the mesh signed it. That of a deputy counts if its certificate was good at the
// revocation's time: evictions outlast the certificates that they rest on. What an evicted deputy signed is not believed any more,
// lest it dates back; Affirm keeps what was believed before. Revoke reports whether the revocation was news.
func (t *Trust) Revoke(r Revocation, now time.Time) (bool, error) {
	if r.Mesh != t.mesh {
		return false, fmt.Errorf("revocation of mesh %s, this is mesh %s: %w", r.Mesh, t.mesh, ErrForeign)
	}
	if !r.signatureGood() {
		return false, fmt.Errorf("revocation signature: %w", ErrForged)
	}
	t.mu.RLock()
	rank := t.rank(r.Issuer)
	err := t.goodRoot(max(rank, 0), now)
	t.mu.RUnlock()
	if rank >= 0 && err != nil {
		return false, fmt.Errorf("revocation: %w", err)
	}
	if rank < 0 {
		at := r.Time
		if at.After(now) {
			at = now
		}
		c, err := t.verify(r.Chain, r.Issuer[:], at, now)
		if err != nil {
			return false, fmt.Errorf("revocation's issuer: %w", err)
		}
		if c.Role != Authority {
			return false, fmt.Errorf("revocation issued by a %s: %w", c.Role, ErrForged)
		}
	}
	return t.keep(r), nil
}

// keep takes a revocation that has been judged, unless a better one of the same node is known: the earliest counts, then the
// one that rests on the newest key. It reports whether it was news.
func (t *Trust) keep(r Revocation) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.revoked[r.Subject]; ok {
		if c := r.Time.Compare(known.Time); c > 0 || c == 0 && t.rank(r.Issuer) <= t.rank(known.Issuer) {
			return false
		}
	}
	t.revoked[r.Subject] = r
	return true
}
