package node

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/cleave-mesh/cleave/transport"
)

const (
	peersFile = "peers.json"
	// maxRemembered is how many members a node remembers to look for when it starts again.
	maxRemembered = 64
)

// remembered are the members that this node met before, and the configured seeds ("PEER@host:port").
func (d *directory) remembered() []transport.Seed {
	var seeds []transport.Seed
	for _, text := range d.n.set.Seeds {
		if id, addr, ok := strings.Cut(text, "@"); ok {
			seeds = append(seeds, transport.Seed{Peer: transport.PeerID(id), Addr: addr})
		} else {
			d.n.log.Warn("seed ignored: write PEER@host:port", "seed", text)
		}
	}
	b, err := d.n.folder.ReadFile(peersFile)
	if err != nil {
		return seeds // a new node has met nobody
	}
	var old []transport.Seed
	if err := json.Unmarshal(b, &old); err != nil {
		d.n.log.Warn("members met before are not known: the file is damaged", "file", peersFile, "err", err)
	}
	return append(seeds, old...)
}

// remember stores where the members are.
func (d *directory) remember() {
	var seeds []transport.Seed
	for id, r := range d.addresses() {
		if len(r.addrs) > 0 {
			seeds = append(seeds, transport.Seed{Peer: id, Addr: r.addrs[len(r.addrs)-1]})
		}
	}
	if len(seeds) == 0 {
		return // alone just now: what was known stays
	}
	slices.SortFunc(seeds, func(a, b transport.Seed) int { return strings.Compare(string(a.Peer), string(b.Peer)) })
	b, err := json.Marshal(seeds[:min(len(seeds), maxRemembered)])
	if err == nil {
		err = d.n.folder.WriteFile(peersFile, b)
	}
	if err != nil {
		d.n.log.Warn("members not remembered", "err", err)
	}
}
