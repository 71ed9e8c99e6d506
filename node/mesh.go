package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/cleave-mesh/cleave/node/member"
	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
	"github.com/cleave-mesh/cleave/transport/shape"
)

// joinTime bounds how long a node looks for the mesh that it belongs to when it starts; leaveTime how long it says goodbye.
const (
	joinTime  = 10 * time.Second
	leaveTime = 500 * time.Millisecond
)

// evictedText is for the person who runs a node that others evicted.
const evictedText = "this node was evicted from its mesh: to be let in again it needs a new identity (another --data folder) and a new token"

// keepAlive is the period of keep-alive packets between members: the translators of addresses that forget soonest do so after 30 s.
const keepAlive = 25 * time.Second

// startMesh opens the socket, becomes a member, and begins to gossip.
func (n *Node) startMesh(ctx context.Context) error {
	id, err := transport.LoadIdentity(n.set.Data)
	if err != nil {
		return err
	}
	creds, err := admit.LoadCredentials(n.set.Data, time.Now())
	if err != nil {
		return err
	}
	authority, err := admit.LoadAuthority(n.set.Data)
	if err != nil {
		return err
	}
	if creds == nil && n.set.Join == "" { // nobody to join: this node founds a mesh
		if creds, authority, err = n.found(id, authority); err != nil {
			return err
		}
	}
	if authority != nil && creds != nil { // a rotation that was interrupted is finished here
		for _, s := range authority.Line() {
			if _, err := creds.Trust.Succeed(s, time.Now()); err != nil {
				return err
			}
		}
		if _, err := authority.Affirm(creds.Trust, time.Now()); err != nil {
			return err
		}
	}
	cfg := transport.Config{
		Identity: id, Credentials: creds, Listen: n.set.Listen, KeepAlive: keepAlive, Relay: n.set.Relay,
		Renewed: n.saveCredentials, Logger: n.log,
	}
	if n.set.topo != nil {
		cfg.Shaper = shape.New(1)
	}
	if n.mesh, err = transport.Listen(ctx, cfg); err != nil {
		return portError("--listen", n.set.Listen, err)
	}
	var seeds []transport.Seed
	if creds == nil {
		jctx, cancel := context.WithTimeout(ctx, joinTime)
		defer cancel()
		var seed transport.Seed
		if creds, seed, err = n.mesh.Join(jctx, n.set.Join); err != nil {
			return adviseJoin(err)
		}
		if err := creds.Save(n.set.Data); err != nil {
			return err
		}
		seeds = append(seeds, seed)
	}
	n.links = newLinks(n, cfg.Shaper)
	n.peers = newDirectory(n)
	for kind, handler := range map[transport.Kind]transport.Handler{
		transport.KindTensor: n.handleTensor, kindSession: n.handleSession, kindInstall: n.handleInstall,
		kindModel: n.handleModel, kindProfile: n.handleProfile, kindNames: n.handleNames, kindCalibration: n.handleCalibration,
	} {
		n.mesh.Handle(kind, n.allowed(kind, handler))
	}
	if n.peers.group, err = member.Start(member.Config{Host: n.mesh, Name: n.set.Name, LAN: onLAN(n.set.Listen), Logger: n.log}); err != nil {
		return err
	}
	if authority == nil && creds.Chain[0].Role == admit.Authority {
		if authority, err = admit.NewIssuer(id.Private(), creds.Chain); err != nil {
			return err
		}
		if err := authority.LoadTokens(n.set.Data); err != nil {
			return err
		}
		n.authority = authority
		n.mesh.ServeJoins(authority, n.keepTokens(authority.SaveTokens))
	} else if authority != nil {
		n.authority = authority
		n.mesh.ServeJoins(authority, n.keepTokens(authority.SaveAuthority))
		if !creds.Trust.Current(creds.Chain) {
			if err := n.mesh.Renew(ctx); err != nil {
				return err
			}
		}
	}
	n.peers.publish()
	seeds = append(seeds, n.peers.remembered()...)
	if len(seeds) > 0 {
		jctx, cancel := context.WithTimeout(ctx, joinTime)
		defer cancel()
		err := n.peers.group.Join(jctx, seeds...)
		if errors.Is(err, transport.ErrRefused) && !errors.Is(err, admit.ErrEvicted) && n.set.Join != "" {
			err = n.joinAnew(jctx)
		}
		switch {
		case errors.Is(err, admit.ErrEvicted):
			n.log.Error(evictedText, "err", err)
		case errors.Is(err, transport.ErrRefused):
			n.log.Error("the members of the mesh refuse this node: it needs a new token (cleave token, then --join)", "err", err)
		case errors.Is(err, member.ErrNoSeed):
			n.log.Warn("no member of the mesh answers yet: this node goes on alone and keeps listening", "err", err)
		case err != nil:
			return err
		}
	}
	n.peers.refresh()
	n.beside(n.peers.watch)
	n.beside(n.watchPaths)
	return nil
}

// adviseJoin says what to do about a join that has failed.
func adviseJoin(err error) error {
	switch {
	case errors.Is(err, admit.ErrEvicted):
		return fmt.Errorf("%w: it needs a new identity (another --data folder) and a new token", err)
	case errors.Is(err, admit.ErrToken), errors.Is(err, admit.ErrTokenExpired), errors.Is(err, admit.ErrTokenSpent),
		errors.Is(err, admit.ErrMalformed), errors.Is(err, admit.ErrForeign):
		return fmt.Errorf("%w: ask the mesh's authority for a new token (cleave token)", err)
	}
	return fmt.Errorf("%w: is the node that made the token running, and can its UDP port be reached from here?", err)
}

// joinAnew uses the join token of a node whose membership is refused: it was away while its certificate or the mesh's key ended.
func (n *Node) joinAnew(ctx context.Context) error {
	creds, seed, err := n.mesh.Join(ctx, n.set.Join)
	if err != nil {
		return fmt.Errorf("%w: %w", transport.ErrRefused, adviseJoin(err))
	}
	if err := creds.Save(n.set.Data); err != nil {
		return err
	}
	n.log.Info("joined the mesh anew")
	return n.peers.group.Join(ctx, seed)
}

// keepTokens stores that a token was used.
func (n *Node) keepTokens(save func(dir string) error) func() {
	return func() {
		if err := save(n.set.Data); err != nil {
			n.log.Error("use of a token not stored", "err", err)
		}
	}
}

// found makes a mesh with this node as its authority and first member.
func (n *Node) found(id *transport.Identity, authority *admit.Issuer) (*admit.Credentials, *admit.Issuer, error) {
	var err error
	if authority == nil {
		if authority, err = admit.NewAuthority(); err != nil {
			return nil, nil, err
		}
		if err := authority.SaveAuthority(n.set.Data); err != nil {
			return nil, nil, err
		}
	}
	chain, err := authority.Issue(id.Public(), admit.Authority, time.Now(), 0)
	if err != nil {
		return nil, nil, err
	}
	creds, err := admit.NewCredentials(authority.Founder(), chain, id.Public(), time.Now(), authority.Line()...)
	if err != nil {
		return nil, nil, err
	}
	n.log.Info("founded a mesh", "mesh", authority.Mesh())
	return creds, authority, creds.Save(n.set.Data)
}

// onLAN tells whether a node that listens at the address is to be found on the local network: not on loopback.
func onLAN(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "" || ip != nil && !ip.IsLoopback()
}

// saveCredentials keeps the node's membership after a renewal, an eviction or a change of the authority's key.
func (n *Node) saveCredentials(c *admit.Credentials) {
	if err := c.Save(n.set.Data); err != nil {
		n.log.Error("membership not stored", "err", err)
	}
}

// leave says goodbye to the mesh.
func (n *Node) leave() {
	if n.peers == nil || n.peers.group == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	if err := n.peers.group.Leave(ctx); err != nil {
		n.log.Debug("left without a goodbye", "err", err)
	}
}

// watchPaths turns what transport sees of peers into events of requests and changes of paths.
func (n *Node) watchPaths(ctx context.Context) {
	told := false
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-n.mesh.PeerEvents():
			if !ok {
				return
			}
			switch e.Kind {
			case transport.PeerStalled:
				n.log.Warn("peer does not answer", "peer", n.nodeName(e.Peer), "silence", e.Silence)
				n.peers.suspect(e.Peer, true)
			case transport.PeerLost:
				n.peers.suspect(e.Peer, true)
				if errors.Is(e.Err, admit.ErrEvicted) && !told {
					told = true
					n.log.Error(evictedText, "told by", n.nodeName(e.Peer))
				}
			case transport.PeerRecovered, transport.PeerConnected:
				n.peers.suspect(e.Peer, false)
				n.links.apply()
			case transport.PeerChanged:
				n.plansStale.Store(true)
			}
		}
	}
}
