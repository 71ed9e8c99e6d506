package node

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/transport/admit"
)

// defaultOverlap is how long an authority's old key stays good when nobody says: long enough for laptops on holiday.
const defaultOverlap = 30 * 24 * time.Hour

// postRotate replaces the mesh's authority key. Only the node that keeps it can.
func (n *Node) postRotate(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		OverlapSeconds int64 `json:"overlap_seconds"` // 0 means defaultOverlap
	}
	if err := read(w, r, &req); err != nil {
		return err
	}
	if n.authority == nil {
		return &statusError{http.StatusConflict, admit.ErrNotRoot.Error()}
	}
	most := int64(admit.MaxOverlap / time.Second)
	if req.OverlapSeconds < 0 || req.OverlapSeconds > most {
		return &statusError{http.StatusBadRequest, fmt.Sprintf("an overlap of %d s, want up to %d", req.OverlapSeconds, most)}
	}
	overlap := orElse(time.Duration(req.OverlapSeconds)*time.Second, defaultOverlap)
	if overlap < admit.MinOverlap {
		return &statusError{http.StatusBadRequest, fmt.Sprintf("an overlap of %v, want at least %v", overlap, admit.MinOverlap)}
	}
	s, err := n.peers.group.Rotate(r.Context(), n.authority, overlap, func(next *admit.Issuer) error {
		return next.SaveAuthority(n.set.Data)
	})
	if errors.Is(err, admit.ErrNotRoot) {
		return &statusError{http.StatusConflict, err.Error()}
	}
	if err != nil {
		return err
	}
	n.saveCredentials(n.mesh.Credentials())
	return write(w, client.Rotation{Number: int(s.Number), Key: hex.EncodeToString(s.New[:]), OldEnd: s.End})
}
