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
	tokensFile      = "tokens.json"
)

// Credentials are a node's proof of membership and its judgement of others.
type Credentials struct {
	Founder ed25519.PublicKey
	Chain   Chain
	Trust   *Trust
}

// NewCredentials checks a chain against the founder's key and those that followed it.
func NewCredentials(founder ed25519.PublicKey, ch Chain, subject ed25519.PublicKey, now time.Time, line ...Succession) (*Credentials, error) {
	if len(founder) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("founder's key of %d bytes, want %d: %w", len(founder), ed25519.PublicKeySize, ErrMalformed)
	}
	t := NewTrust(founder)
	for _, s := range line {
		if _, err := t.Succeed(s, now); err != nil {
			return nil, err
		}
	}
	if _, err := t.Verify(ch, subject, now); err != nil {
		return nil, err
	}
	return &Credentials{Founder: founder, Chain: ch, Trust: t}, nil
}

// credentialsJSON is the file form; byte strings are hex.
type credentialsJSON struct {
	Founder     string   `json:"founder"`
	Chain       string   `json:"chain"`
	Successions string   `json:"successions,omitempty"`
	Revocations []string `json:"revocations,omitempty"`
}

// Save keeps the credentials in a data folder (mode 0600).
func (c *Credentials) Save(dir string) error {
	f := credentialsJSON{
		Founder: hex.EncodeToString(c.Founder), Chain: hex.EncodeToString(c.Chain.Append(nil)),
		Successions: hex.EncodeToString(AppendSuccessions(nil, c.Trust.Line())),
	}
	for _, r := range c.Trust.Revocations() {
		f.Revocations = append(f.Revocations, hex.EncodeToString(r.Append(nil)))
	}
	return saveJSON(filepath.Join(dir, credentialsFile), f)
}

// LoadCredentials reads what Save kept; nil without error when there are none. The node's own certificate is not judged here,
// others judge it. Evictions were judged when they came, and stand even when the key or
// certificate that they rest on has ended since.
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
	line, err := parseLine(f.Successions)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	for _, s := range line {
		if _, err := c.Trust.Succeed(s, now); err != nil {
			return nil, fmt.Errorf("load %s: %w", path, err)
		}
	}
	for _, text := range f.Revocations {
		raw, err := hex.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("load %s: revocation is not hex", path)
		}
		r, err := ParseRevocation(raw)
		if err != nil {
			return nil, fmt.Errorf("load %s: %w", path, err)
		}
		if r.Mesh != c.Trust.mesh || !r.signatureGood() {
			return nil, fmt.Errorf("load %s: revocation: %w", path, ErrForged)
		}
		c.Trust.keep(r)
	}
	return c, nil
}

func parseLine(text string) ([]Succession, error) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("successions are not hex: %w", ErrMalformed)
	}
	return ParseSuccessions(raw)
}

// authorityJSON is the file form of an authority's key, of how it came from the founder's, and of the tokens used so far.
type authorityJSON struct {
	Seed        string            `json:"seed"`
	Successions string            `json:"successions,omitempty"`
	Used        map[string]uint16 `json:"used,omitempty"`
}

// SaveAuthority keeps a mesh's authority in a data folder (mode 0600): its key, its line and how often each token was used.
func (a *Issuer) SaveAuthority(dir string) error {
	a.mu.Lock()
	f := authorityJSON{
		Seed: hex.EncodeToString(a.key.Seed()), Successions: hex.EncodeToString(AppendSuccessions(nil, a.line)),
	}
	a.mu.Unlock()
	f.Used = a.uses()
	return saveJSON(filepath.Join(dir, authorityFile), f)
}

// uses is how often each token was used, by its id in hex.
func (a *Issuer) uses() map[string]uint16 {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]uint16{}
	for id, n := range a.used {
		out[hex.EncodeToString(id[:])] = n
	}
	return out
}

func (a *Issuer) setUses(uses map[string]uint16) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for text, n := range uses {
		id, err := hex.DecodeString(text)
		if err != nil || len(id) != 8 {
			return fmt.Errorf("token id %q: %w", text, ErrMalformed)
		}
		a.used[[8]byte(id)] = n
	}
	return nil
}

// SaveTokens keeps in a data folder how often each token was used, for an issuer that signs in a node's name; SaveAuthority does it
// for the authority's own key.
func (a *Issuer) SaveTokens(dir string) error {
	return saveJSON(filepath.Join(dir, tokensFile), a.uses())
}

// LoadTokens reads what SaveTokens kept, if anything.
func (a *Issuer) LoadTokens(dir string) error {
	var uses map[string]uint16
	path := filepath.Join(dir, tokensFile)
	if ok, err := loadJSON(path, &uses); err != nil || !ok {
		return err
	}
	if err := a.setUses(uses); err != nil {
		return fmt.Errorf("load %s: %w", path, err)
	}
	return nil
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
	if a.line, err = parseLine(f.Successions); err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	if n := len(a.line); n > 0 {
		if a.line[n-1].New != KeyOf(a.Public()) {
			return nil, fmt.Errorf("load %s: the last succession is to another key: %w", path, ErrForged)
		}
		a.mesh = a.line[n-1].Mesh
	}
	if err := a.setUses(f.Used); err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
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
