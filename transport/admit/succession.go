package admit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

const (
	// SuccessionSize is the bytes of one succession.
	SuccessionSize = 1 + 16 + 4 + 32 + 32 + 8 + 8 + 2*ed25519.SignatureSize
	// MaxSuccessions is how often a mesh may change its authority's key.
	MaxSuccessions = 16
	// MinOverlap and MaxOverlap bound how long the old key is good beside the new one.
	MinOverlap = time.Minute
	MaxOverlap = 90 * 24 * time.Hour

	// successionTag separates the signatures of successions from all others.
	successionTag    = "cleave succession\x00"
	successionSigned = SuccessionSize - 2*ed25519.SignatureSize
)

// Errors of successions.
var (
	// ErrKeyEnded says that a statement was signed by an authority key whose time is over.
	ErrKeyEnded = errors.New("signed by an authority key that has been replaced")
	// ErrRival says that an authority key, which already has a successor, names another.
	ErrRival = errors.New("the authority key already has another successor")
	// ErrGap says that a succession continues one that is not known.
	ErrGap = errors.New("succession without the one before it")
	// ErrNotRoot says that a node may issue certificates, but does not keep the mesh's authority key.
	ErrNotRoot = errors.New("this node does not keep the mesh's authority key")
)

// Succession is the statement of a mesh's authority key that another key follows it. Both keys sign: the old one says so, the
// new one shows that somebody holds it. The first key is the founder's; successions are numbered from 1.
type Succession struct {
	Mesh     MeshID
	Number   uint32
	Old, New Key
	Time     time.Time
	End      time.Time // of the old key: nothing that it signed is believed later
	ByOld    [ed25519.SignatureSize]byte
	ByNew    [ed25519.SignatureSize]byte
}

func (s *Succession) appendSigned(dst []byte) []byte {
	dst = append(dst, version)
	dst = append(dst, s.Mesh[:]...)
	dst = binary.BigEndian.AppendUint32(dst, s.Number)
	dst = append(dst, s.Old[:]...)
	dst = append(dst, s.New[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Time.Unix()))
	return binary.BigEndian.AppendUint64(dst, uint64(s.End.Unix()))
}

// Append adds the succession's wire form.
func (s *Succession) Append(dst []byte) []byte {
	dst = append(s.appendSigned(dst), s.ByOld[:]...)
	return append(dst, s.ByNew[:]...)
}

// AppendSuccessions adds the wire form of several.
func AppendSuccessions(dst []byte, line []Succession) []byte {
	for i := range line {
		dst = line[i].Append(dst)
	}
	return dst
}

// ParseSuccessions reads successions that fill b exactly. It checks form, not trust.
func ParseSuccessions(b []byte) ([]Succession, error) {
	if len(b)%SuccessionSize != 0 || len(b) > MaxSuccessions*SuccessionSize {
		return nil, fmt.Errorf("successions of %d bytes, want up to %d of %d: %w", len(b), MaxSuccessions, SuccessionSize, ErrMalformed)
	}
	var line []Succession
	for ; len(b) > 0; b = b[SuccessionSize:] {
		if b[0] != version {
			return nil, fmt.Errorf("succession version %d, want %d: %w", b[0], version, ErrMalformed)
		}
		s := Succession{Number: binary.BigEndian.Uint32(b[17:])}
		copy(s.Mesh[:], b[1:])
		copy(s.Old[:], b[21:])
		copy(s.New[:], b[53:])
		var ok [2]bool
		s.Time, ok[0] = parseTime(b[85:])
		s.End, ok[1] = parseTime(b[93:])
		if !ok[0] || !ok[1] {
			return nil, fmt.Errorf("succession time out of range: %w", ErrMalformed)
		}
		copy(s.ByOld[:], b[successionSigned:])
		copy(s.ByNew[:], b[successionSigned+ed25519.SignatureSize:])
		line = append(line, s)
	}
	return line, nil
}

// Rotate replaces the authority's key by a new one; the old one stays good for the overlap. save must keep the successor
// durably before anything else happens: without it nobody could ever sign for the mesh again. When save fails, nothing has
// changed. Tokens made before are void.
func (a *Issuer) Rotate(now time.Time, overlap time.Duration, save func(successor *Issuer) error) (Succession, error) {
	if overlap < MinOverlap || overlap > MaxOverlap {
		return Succession{}, fmt.Errorf("rotate authority key: overlap %v, want %v to %v", overlap, MinOverlap, MaxOverlap)
	}
	a.rotating.Lock()
	defer a.rotating.Unlock()
	old, chain := a.signer()
	if len(chain) != 0 {
		return Succession{}, fmt.Errorf("rotate authority key: %w", ErrNotRoot)
	}
	line := a.Line()
	if len(line) >= MaxSuccessions {
		return Succession{}, fmt.Errorf("rotate authority key: the mesh has changed it %d times, which is the limit", len(line))
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Succession{}, fmt.Errorf("rotate authority key: %w", err)
	}
	s := Succession{
		Mesh: a.mesh, Number: uint32(len(line) + 1), Old: KeyOf(old.Public().(ed25519.PublicKey)), New: KeyOf(public),
		Time: now.Truncate(time.Second).UTC(), End: now.Add(overlap).Truncate(time.Second).UTC(),
	}
	signed := s.appendSigned([]byte(successionTag))
	copy(s.ByOld[:], ed25519.Sign(old, signed))
	copy(s.ByNew[:], ed25519.Sign(private, signed))
	next := &Issuer{key: private, mesh: a.mesh, line: append(line, s), used: map[[8]byte]uint16{}}
	if err := save(next); err != nil {
		return Succession{}, fmt.Errorf("rotate authority key: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.key, a.line, a.used = next.key, next.line, next.used
	return s, nil
}

// Succeed believes a succession, if the key that it names as the old one is this mesh's newest and both keys signed. It
// reports whether it was news. How late the word comes does not matter: who was away for the whole overlap still learns which
// key is good now.
func (t *Trust) Succeed(s Succession, now time.Time) (bool, error) {
	if s.Mesh != t.mesh {
		return false, fmt.Errorf("succession of mesh %s, this is mesh %s: %w", s.Mesh, t.mesh, ErrForeign)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch at := len(t.line); {
	case s.Number == 0:
		return false, fmt.Errorf("succession number 0: %w", ErrMalformed)
	case int(s.Number) <= at:
		if t.line[s.Number-1] == s {
			return false, nil
		}
		return false, fmt.Errorf("succession %d: %w", s.Number, ErrRival)
	case int(s.Number) > at+1 || at >= MaxSuccessions:
		return false, fmt.Errorf("succession %d, %d are known: %w", s.Number, at, ErrGap)
	}
	if s.Old != t.roots[len(t.line)] {
		return false, fmt.Errorf("succession of a key that is not this mesh's: %w", ErrForeign)
	}
	signed := s.appendSigned([]byte(successionTag))
	if !ed25519.Verify(s.Old[:], signed, s.ByOld[:]) || !ed25519.Verify(s.New[:], signed, s.ByNew[:]) {
		return false, fmt.Errorf("succession signature: %w", ErrForged)
	}
	if now.Add(ClockSkew).Before(s.Time) || s.End.Before(s.Time) || s.End.Sub(s.Time) > MaxOverlap {
		return false, fmt.Errorf("succession of %s with the old key's end %s: %w",
			s.Time.Format(time.RFC3339), s.End.Format(time.RFC3339), ErrMalformed)
	}
	for _, k := range t.roots {
		if k == s.New {
			return false, fmt.Errorf("succession to a key that has been replaced: %w", ErrKeyEnded)
		}
	}
	t.line = append(t.line, s)
	t.roots = append(t.roots, s.New)
	return true, nil
}

// Line lists the successions that are known, in order.
func (t *Trust) Line() []Succession {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return append([]Succession(nil), t.line...)
}

// Current tells whether a chain ends at the mesh's newest authority key; one that does not should be renewed.
func (t *Trust) Current(ch Chain) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(ch) > 0 && ch[len(ch)-1].Issuer == t.roots[len(t.roots)-1]
}

// rank is the place of an authority key in the line, the founder's being 0; -1 for others. t.mu is held.
func (t *Trust) rank(k Key) int {
	for i, r := range t.roots {
		if r == k {
			return i
		}
	}
	return -1
}

// goodRoot judges the authority key at a place of the line. t.mu is held.
func (t *Trust) goodRoot(rank int, now time.Time) error {
	if rank < len(t.line) && now.After(t.line[rank].End) {
		return fmt.Errorf("authority key %d ended %s: %w", rank, t.line[rank].End.Format(time.RFC3339), ErrKeyEnded)
	}
	return nil
}

// Affirm signs again, in the authority's newest key, the evictions that rest on anything else, so that they outlast the old key and
// deputies that were evicted since. The new statements are believed at once, and listed for others. An issuer that does not keep the
// authority's key affirms nothing.
func (a *Issuer) Affirm(t *Trust, now time.Time) ([]Revocation, error) {
	key, chain := a.signer()
	if len(chain) != 0 {
		return nil, nil
	}
	root := KeyOf(key.Public().(ed25519.PublicKey))
	var out []Revocation
	for _, r := range t.Revocations() {
		if r.Issuer == root {
			continue
		}
		again := a.Evict(r.Subject[:], r.Time)
		if _, err := t.Revoke(again, now); err != nil {
			return out, fmt.Errorf("affirm evictions: %w", err)
		}
		out = append(out, again)
	}
	return out, nil
}
