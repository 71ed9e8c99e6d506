package transport

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	ic "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/quic-go/quic-go"
)

// identityFile is the name of the key file in a data folder.
const identityFile = "identity.key"

// Identity is a node's ed25519 key.
type Identity struct {
	private ed25519.PrivateKey
	key     ic.PrivKey
	id      PeerID
}

// NewIdentity makes a fresh random identity.
func NewIdentity() (*Identity, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate identity: %w", err)
	}
	return identityFromKey(private)
}

// LoadIdentity reads the identity kept in the data folder, or makes one there (mode 0600) when there is none.
func LoadIdentity(dir string) (*Identity, error) {
	path := filepath.Join(dir, identityFile)
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		seed, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil || len(seed) != ed25519.SeedSize {
			return nil, fmt.Errorf("load identity: %s does not hold %d bytes in hex", path, ed25519.SeedSize)
		}
		return identityFromKey(ed25519.NewKeyFromSeed(seed))
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("load identity: %w", err)
	}
	id, err := NewIdentity()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("save identity: %w", err)
	}
	if err := os.WriteFile(path, []byte(hex.EncodeToString(id.private.Seed())+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("save identity: %w", err)
	}
	return id, nil
}

func identityFromKey(private ed25519.PrivateKey) (*Identity, error) {
	key, err := ic.UnmarshalEd25519PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	id, err := PeerIDOf(private.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	return &Identity{private: private, key: key, id: id}, nil
}

// ID is the identity's public name.
func (i *Identity) ID() PeerID { return i.id }

// peerID is the host's identity in libp2p's form.
func (h *Host) peerID() peer.ID {
	id, err := peer.IDFromPublicKey(h.identity.key.GetPublic())
	if err != nil {
		panic(err) // the key made this host's PeerID before
	}
	return id
}

// Public is the identity's public key.
func (i *Identity) Public() ed25519.PublicKey { return i.private.Public().(ed25519.PublicKey) }

// Private is the identity's private key, for signing statements in the node's name.
func (i *Identity) Private() ed25519.PrivateKey { return i.private }

// PeerIDOf derives the identity that belongs to a public key.
func PeerIDOf(public ed25519.PublicKey) (PeerID, error) {
	key, err := ic.UnmarshalEd25519PublicKey(public)
	if err != nil {
		return "", fmt.Errorf("derive peer id: %w", err)
	}
	id, err := peer.IDFromPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("derive peer id: %w", err)
	}
	return PeerID(id.String()), nil
}

// Public recovers the ed25519 key that the identity was derived from.
func (p PeerID) Public() (ed25519.PublicKey, error) {
	id, err := peer.Decode(string(p))
	if err != nil {
		return nil, fmt.Errorf("peer id %q: %w", string(p), err)
	}
	key, err := id.ExtractPublicKey()
	if err != nil {
		return nil, fmt.Errorf("peer id %q: %w", string(p), err)
	}
	raw, err := key.Raw()
	if err != nil || key.Type() != ic.Ed25519 {
		return nil, fmt.Errorf("peer id %q: not an ed25519 key", string(p))
	}
	return raw, nil
}

// Short is the last eight characters, which differ between peers, for logs and tables.
func (p PeerID) Short() string {
	if len(p) <= 8 {
		return string(p)
	}
	return string(p[len(p)-8:])
}

// resetKey makes the tokens by which the host disowns connections that it knows nothing of. It stays the same when a node comes back
// after a crash, so that its peers, which still hold connections to it, learn at once that those are over.
func (i *Identity) resetKey() (key quic.StatelessResetKey) {
	mac := hmac.New(sha256.New, i.private.Seed())
	mac.Write([]byte("cleave stateless reset"))
	copy(key[:], mac.Sum(nil))
	return key
}

// Sign signs a statement in the host's name. tag separates one use of signatures from all others.
func (h *Host) Sign(tag string, statement []byte) []byte {
	return ed25519.Sign(h.identity.private, append([]byte(tag), statement...))
}

// Verify tells whether the peer signed the statement under the tag.
func (p PeerID) Verify(tag string, statement, signature []byte) bool {
	public, err := p.Public()
	return err == nil && ed25519.Verify(public, append([]byte(tag), statement...), signature)
}
