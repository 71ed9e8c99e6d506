package node

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/transport/admit"
)

// TestRotateOverHTTP changes the authority's key at a running node, and starts that node again afterwards.
func TestRotateOverHTTP(t *testing.T) {
	data := filepath.Join(t.TempDir(), "root")
	root := testNode(t, "root", func(c *Config) { c.Data = data })
	token, spare := testToken(t, root, 1), testToken(t, root, 1)
	member := testNode(t, "member", func(c *Config) { c.Join = token })
	deputy, err := testClient(t, root).Token(t.Context(), client.TokenRequest{Role: "authority"})
	if err != nil {
		t.Fatal(err)
	}
	second := testNode(t, "deputy", func(c *Config) { c.Join = deputy.Token })
	for _, c := range []struct {
		name    string
		at      *Node
		overlap time.Duration
	}{
		{"a member", member, time.Hour},
		{"a deputy", second, time.Hour},
		{"the authority with too short an overlap", root, time.Second},
		{"the authority with too long an overlap", root, admit.MaxOverlap + time.Second},
	} {
		if _, err := testClient(t, c.at).Rotate(t.Context(), c.overlap); err == nil {
			t.Errorf("%s changed the key", c.name)
		}
	}
	r, err := testClient(t, root).Rotate(t.Context(), 0)
	if err != nil || r.Number != 1 || time.Until(r.OldEnd) < defaultOverlap-time.Hour {
		t.Fatalf("rotation %+v, %v", r, err)
	}
	startFails(t, Config{Name: "late", Join: spare}, "token", "cleave token")
	testNode(t, "newcomer", func(c *Config) { c.Join = testToken(t, root, 1) })
	// A deputy's tokens are its own: they outlive the change.
	testNode(t, "by-deputy", func(c *Config) { c.Join = testToken(t, second, 1) })
	mesh := root.mesh.Credentials().Trust.Mesh()
	if err := root.Close(); err != nil {
		t.Fatal(err)
	}
	root = testNode(t, "root", func(c *Config) { c.Data = data })
	creds := root.mesh.Credentials()
	if creds.Trust.Mesh() != mesh || !creds.Trust.Current(creds.Chain) {
		t.Error("the authority's node came back under another key")
	}
	testNode(t, "last", func(c *Config) { c.Join = testToken(t, root, 1) })
}
