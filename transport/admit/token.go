package admit

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

const (
	// MaxSeeds is the most addresses in a token.
	MaxSeeds = 8
	// MaxToken is the longest text of a token.
	MaxToken = 4096

	tokenPrefix = "cleave-"
	tokenFixed  = 1 + 1 + 2 + 8 + 8 + 32
	tokenMAC    = 16
)

// Token is an invitation to a mesh. Its text is what `cleave token` prints.
type Token struct {
	Role      Role
	Uses      uint16
	Expiry    time.Time
	ID        [8]byte
	Authority Key // whoever answers at the seeds must prove to be admitted by this key
	MAC       [tokenMAC]byte
	Seeds     []string // "host:port"
}

// appendFields adds what the mac covers. The seeds are a hint for the way and not covered, so that a person may edit them.
func (t *Token) appendFields(dst []byte) []byte {
	dst = append(dst, version, byte(t.Role))
	dst = binary.BigEndian.AppendUint16(dst, t.Uses)
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.Expiry.Unix()))
	dst = append(dst, t.ID[:]...)
	return append(dst, t.Authority[:]...)
}

// String is the token's text form.
func (t Token) String() string {
	b := append(t.appendFields(nil), t.MAC[:]...)
	b = append(b, byte(len(t.Seeds)))
	for _, s := range t.Seeds {
		b = append(append(b, byte(len(s))), s...)
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// ParseToken reads a token's text; blanks and line breaks that pasting added are ignored.
func ParseToken(text string) (Token, error) {
	text = strings.Join(strings.Fields(text), "")
	if len(text) > MaxToken {
		return Token{}, fmt.Errorf("join token of %d characters, limit %d: %w", len(text), MaxToken, ErrMalformed)
	}
	body, ok := strings.CutPrefix(text, tokenPrefix)
	if !ok {
		return Token{}, fmt.Errorf("join token does not begin with %q: %w", tokenPrefix, ErrMalformed)
	}
	b, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return Token{}, fmt.Errorf("join token is not base64: %w", ErrMalformed)
	}
	if len(b) < tokenFixed+tokenMAC+1 || b[0] != version {
		return Token{}, fmt.Errorf("join token is cut off or of another version: %w", ErrMalformed)
	}
	t := Token{Role: Role(b[1]), Uses: binary.BigEndian.Uint16(b[2:])}
	if t.Expiry, ok = parseTime(b[4:]); !ok {
		return Token{}, fmt.Errorf("join token's expiry is out of range: %w", ErrMalformed)
	}
	copy(t.ID[:], b[12:])
	copy(t.Authority[:], b[20:])
	copy(t.MAC[:], b[tokenFixed:])
	n := int(b[tokenFixed+tokenMAC])
	b = b[tokenFixed+tokenMAC+1:]
	if n == 0 || n > MaxSeeds {
		return Token{}, fmt.Errorf("join token with %d seed addresses, want 1 to %d: %w", n, MaxSeeds, ErrMalformed)
	}
	for range n {
		if len(b) == 0 || b[0] == 0 || len(b) < 1+int(b[0]) {
			return Token{}, fmt.Errorf("join token is cut off: %w", ErrMalformed)
		}
		t.Seeds = append(t.Seeds, string(b[1:1+int(b[0])]))
		b = b[1+int(b[0]):]
	}
	if len(b) != 0 {
		return Token{}, fmt.Errorf("join token has %d bytes too many: %w", len(b), ErrMalformed)
	}
	return t, nil
}
