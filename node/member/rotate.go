package member

import (
	"context"
	"fmt"
	"time"

	"github.com/cleave-mesh/cleave/transport/admit"
)

// Rotate replaces the mesh's authority key, and tells everyone: members renew their certificates under the new key within a
// minute, what the old key signed is good for the overlap, and evictions are signed again. save keeps the successor before
// anything else happens. Errors are those of Issuer.Rotate, or of what follows; the key has changed then, and the node's next
// start does the rest.
func (g *Group) Rotate(ctx context.Context, issuer *admit.Issuer, overlap time.Duration, save func(*admit.Issuer) error) (admit.Succession, error) {
	now := time.Now()
	s, err := issuer.Rotate(now, overlap, save)
	if err != nil {
		return admit.Succession{}, fmt.Errorf("member: %w", err)
	}
	if _, err := g.host.Succeed(s); err != nil {
		return s, fmt.Errorf("member: rotate authority key: %w", err)
	}
	if err := g.host.Renew(ctx); err != nil {
		return s, fmt.Errorf("member: rotate authority key: %w", err)
	}
	g.spreadSuccession(s)
	return s, g.affirm(issuer, now)
}

// succeed takes a succession from gossip. One that does not verify comes from a member with a bug or a grudge, or from an old
// key in wrong hands; it is dropped.
func (g *Group) succeed(s admit.Succession) {
	if news, err := g.host.Succeed(s); err == nil && news {
		g.spreadSuccession(s)
	} else if err != nil {
		g.log.Warn("succession not believed", "error", err.Error())
	}
}

func (g *Group) spreadSuccession(s admit.Succession) {
	g.queue.QueueBroadcast(broadcast{fmt.Sprintf("succession %d", s.Number), s.Append([]byte{rumourSuccession})})
}
