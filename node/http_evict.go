package node

import (
	"fmt"
	"net/http"

	"github.com/cleave-mesh/cleave/transport"
)

// postEvict puts a node out of the mesh. Only an authority's node can.
func (n *Node) postEvict(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Node string `json:"node"` // name or identity
	}
	if err := read(w, r, &req); err != nil {
		return err
	}
	if n.authority == nil {
		return &statusError{http.StatusConflict, "this node is not the mesh's authority: ask at the node that founded the mesh"}
	}
	var id transport.PeerID
	for _, m := range n.peers.group.Nodes() {
		if string(m.ID) == req.Node || m.Name == req.Node {
			if id != "" {
				return &statusError{http.StatusConflict, fmt.Sprintf("several nodes are named %q: give the identity", req.Node)}
			}
			id = m.ID
		}
	}
	if id == "" { // a node that gossip has forgotten can still be kept out
		id = transport.PeerID(req.Node)
		if _, err := id.Public(); err != nil {
			return &statusError{http.StatusNotFound, fmt.Sprintf("no node is named %q", req.Node)}
		}
	}
	if id == n.mesh.ID() {
		return &statusError{http.StatusConflict, "this node cannot evict itself: ask another authority's node"}
	}
	if err := n.peers.group.Evict(n.authority, id); err != nil {
		return &statusError{http.StatusBadRequest, err.Error()}
	}
	n.saveCredentials(n.mesh.Credentials())
	return write(w, map[string]string{"node": req.Node, "id": string(id)})
}
