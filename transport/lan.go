package transport

import (
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	// lanRefresh is how often the announced addresses are compared with the host's.
	lanRefresh = 30 * time.Second
	// maxFound is the most addresses of one announcement that are believed.
	maxFound = 8
)

// SearchLAN announces this host on the local network by libp2p's multicast DNS, and calls found for every other node that announces
// itself for the same mesh, again and again, until the host closes. What is found is a hint where to dial, never a proof: the node
// must show its certificate like any other. found must not block.
func (h *Host) SearchLAN(found func(Seed)) error {
	c := h.Credentials()
	if c == nil {
		return ErrNotMember
	}
	p, err := h.startLibp2p()
	if err != nil {
		return err
	}
	if !h.enter() {
		return ErrClosed
	}
	start := func() (mdns.Service, error) {
		s := mdns.NewMdnsService(announced{p.node, h}, "_cleave-"+c.Trust.Mesh().String()+"._udp", finder{h, found})
		return s, s.Start()
	}
	s, err := start()
	if err != nil {
		_ = s.Close()
		h.wg.Done()
		return fmt.Errorf("transport: look for nodes on the LAN: %w", err)
	}
	go func() {
		defer h.wg.Done()
		defer func() { _ = s.Close() }()
		tick := time.NewTicker(lanRefresh)
		defer tick.Stop()
		for last := h.addrs(); ; {
			select {
			case <-h.ctx.Done():
				return
			case <-tick.C:
			}
			now := h.addrs()
			if slices.Equal(now, last) {
				continue
			}
			last = now
			_ = s.Close()
			if s, err = start(); err != nil {
				h.log.Info("no discovery on the LAN until the addresses change again", "error", err.Error())
			}
		}
	}()
	return nil
}

// finder takes libp2p's announcements.
type finder struct {
	host  *Host
	found func(Seed)
}

// HandlePeerFound passes an announcement on.
func (f finder) HandlePeerFound(info peer.AddrInfo) {
	id := PeerID(info.ID.String())
	if _, err := id.Public(); err != nil || id == f.host.ID() || f.host.ctx.Err() != nil {
		return
	}
	for _, m := range info.Addrs[:min(len(info.Addrs), maxFound)] {
		if a, _, err := quicreuse.FromQuicMultiaddr(m); err == nil {
			f.host.Learn(id, a.String())
		}
	}
	f.found(Seed{Peer: id})
}

// announced is a libp2p host that announces exactly what this host listens on.
type announced struct {
	host.Host
	of *Host
}

func (a announced) Network() network.Network { return announcedNetwork{a.Host.Network(), a.of} }

type announcedNetwork struct {
	network.Network
	of *Host
}

func (n announcedNetwork) InterfaceListenAddresses() ([]ma.Multiaddr, error) {
	return n.of.multiaddrs(), nil
}
