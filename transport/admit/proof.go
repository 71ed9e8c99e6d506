package admit

import (
	"crypto/ed25519"
	"fmt"
	"time"
)

// MaxProof is the most bytes of a proof.
const MaxProof = 1 + MaxChain*CertificateSize + MaxSuccessions*SuccessionSize

// Proof is what a node shows of its membership: its chain, and how the authority key that the chain ends at came from the
// founder's. Both are nil for a stranger.
type Proof struct {
	Chain Chain
	Line  []Succession
}

// Append adds the proof's wire form.
func (p Proof) Append(dst []byte) []byte {
	return AppendSuccessions(p.Chain.Append(dst), p.Line)
}

// ParseProof reads a proof that fills b exactly. It checks form, not trust.
func ParseProof(b []byte) (Proof, error) {
	ch, rest, err := parseChain(b)
	if err != nil {
		return Proof{}, err
	}
	line, err := ParseSuccessions(rest)
	if err != nil {
		return Proof{}, err
	}
	return Proof{Chain: ch, Line: line}, nil
}

// founder is the key that the proof claims the mesh was founded with.
func (p Proof) founder() []byte {
	if len(p.Line) > 0 {
		return p.Line[0].Old[:]
	}
	return p.Chain[len(p.Chain)-1].Issuer[:]
}

// Check judges a stranger's proof by itself, as a newcomer must who knows nothing but the key in its token: that key must be
// the subject of the chain's leaf, or the key that the chain ends at.
func (p Proof) Check(authority Key, subject ed25519.PublicKey, now time.Time) error {
	if len(p.Chain) == 0 {
		return ErrStranger
	}
	if last := p.Chain[len(p.Chain)-1].Issuer; last != authority && p.Chain[0].Subject != authority {
		return fmt.Errorf("the seed is not of the token's mesh, or the mesh has changed its key since: %w", ErrForeign)
	}
	_, err := NewCredentials(p.founder(), p.Chain, subject, now, p.Line...)
	return err
}

// Proof is what the node shows.
func (c *Credentials) Proof() Proof { return Proof{Chain: c.Chain, Line: c.Trust.Line()} }
