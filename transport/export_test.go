package transport

// Libp2pPeers counts the peers that this host has libp2p connections with.
func (h *Host) Libp2pPeers() int {
	p := h.libp2p.Load()
	if p == nil {
		return 0
	}
	return len(p.node.Network().Peers())
}
