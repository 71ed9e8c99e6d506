package admit

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Names of files in a data folder.
const (
	credentialsFile = "membership.json"
	authorityFile   = "authority.json"
)

// Credentials are a node's proof of membership and its judgement of others.
type Credentials struct {
	Founder ed25519.PublicKey
	Chain   Chain
	Trust   *Trust
}

// NewCredentials checks a chain against the founder's key.
func NewCredentials(founder ed25519.PublicKey, ch Chain, subject ed25519.PublicKey, now time.Time) (*Credentials, error) {
	if len(founder) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("founder's key of %d bytes, want %d: %w", len(founder), ed25519.PublicKeySize, ErrMalformed)
	}
	t := NewTrust(founder)
	if _, err := t.Verify(ch, subject, now); err != nil {
		return nil, err
	}
	return &Credentials{Founder: founder, Chain: ch, Trust: t}, nil
}

// credentialsJSON is the file form; byte strings are hex.
type credentialsJSON struct {
	Founder     string   `json:"founder"`
	Chain       string   `json:"chain"`
	Revocations []string `json:"revocations,omitempty"`
}

// Save keeps the credentials in a data folder (mode 0600).
func (c *Credentials) Save(dir string) error {
	f := credentialsJSON{Founder: hex.EncodeToString(c.Founder), Chain: hex.EncodeToString(c.Chain.Append(nil))}
	for _, r := range c.Trust.Revocations() {
		f.Revocations = append(f.Revocations, hex.EncodeToString(r.Append(nil)))
	}
	return saveJSON(filepath.Join(dir, credentialsFile), f)
}

// LoadCredentials reads what Save kept; nil without error when there are none. The node's own certificate is not judged here:
// an expired one is loaded so that it can be renewed.
func LoadCredentials(dir string, now time.Time) (*Credentials, error) {
	var f credentialsJSON
	path := filepath.Join(dir, credentialsFile)
	if ok, err := loadJSON(path, &f); err != nil || !ok {
		return nil, err
	}
	founder, err := hex.DecodeString(f.Founder)
	if err != nil || len(founder) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("load %s: founder is not a key in hex", path)
	}
	raw, err := hex.DecodeString(f.Chain)
	if err != nil {
		return nil, fmt.Errorf("load %s: chain is not hex", path)
	}
	ch, err := ParseChain(raw)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	c := &Credentials{Founder: founder, Chain: ch, Trust: NewTrust(founder)}
	for _, text := range f.Revocations {
		raw, err := hex.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("load %s: revocation is not hex", path)
		}
		r, err := ParseRevocation(raw)
		if err != nil {
			return nil, fmt.Errorf("load %s: %w", path, err)
		}
		if _, err := c.Trust.Revoke(r, now); err != nil {
			return nil, fmt.Errorf("load %s: %w", path, err)
		}
	}
	return c, nil
}

// authorityJSON is the file form of an authority's key and of the tokens used so far.
type authorityJSON struct {
	Seed string            `json:"seed"`
	Used map[string]uint16 `json:"used,omitempty"`
}

// SaveAuthority keeps a founding authority in a data folder (mode 0600): its key and how often each token was used.
func (a *Issuer) SaveAuthority(dir string) error {
	f := authorityJSON{Seed: hex.EncodeToString(a.key.Seed()), Used: map[string]uint16{}}
	a.mu.Lock()
	for id, n := range a.used {
		f.Used[hex.EncodeToString(id[:])] = n
	}
	a.mu.Unlock()
	return saveJSON(filepath.Join(dir, authorityFile), f)
}

// LoadAuthority reads what SaveAuthority kept; nil without error when there is none.
func LoadAuthority(dir string) (*Issuer, error) {
	var f authorityJSON
	path := filepath.Join(dir, authorityFile)
	if ok, err := loadJSON(path, &f); err != nil || !ok {
		return nil, err
	}
	seed, err := hex.DecodeString(f.Seed)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("load %s: seed is not %d bytes in hex", path, ed25519.SeedSize)
	}
	a := AuthorityFromKey(ed25519.NewKeyFromSeed(seed))
	for text, n := range f.Used {
		id, err := hex.DecodeString(text)
		if err != nil || len(id) != 8 {
			return nil, fmt.Errorf("load %s: token id %q", path, text)
		}
		a.used[[8]byte(id)] = n
	}
	return a, nil
}

// saveJSON replaces a file at once, so that a crash leaves the old one or the new one.
func saveJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return nil
}

func loadJSON(path string, v any) (bool, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("load: %w", err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return false, fmt.Errorf("load %s: %w", path, err)
	}
	return true, nil
}
