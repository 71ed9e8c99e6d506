package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
)

// Limits of what libp2p's protocols may take together; its defaults are made for a public network of strangers, these for one
// mesh of up to a thousand members of which many may share one address behind a NAT.
const (
	p2pConns       = 4096
	p2pStreams     = 16384
	p2pPeerConns   = 8
	p2pPeerStreams = 512
	p2pMemory      = 256 << 20 // bytes
	p2pPeerMemory  = 64 << 20  // bytes
)

// newLimits makes libp2p's resource manager.
func newLimits() (network.ResourceManager, error) {
	all := rcmgr.ResourceLimits{
		Conns: p2pConns, ConnsInbound: p2pConns, ConnsOutbound: p2pConns, Streams: p2pStreams, StreamsInbound: p2pStreams,
		StreamsOutbound: p2pStreams, Memory: p2pMemory,
	}
	one := rcmgr.ResourceLimits{
		Conns: p2pPeerConns, ConnsInbound: p2pPeerConns, ConnsOutbound: p2pPeerConns, Streams: p2pPeerStreams,
		StreamsInbound: p2pPeerStreams, StreamsOutbound: p2pPeerStreams, Memory: p2pPeerMemory,
	}
	limits := rcmgr.PartialLimitConfig{System: all, Transient: all, PeerDefault: one}.Build(rcmgr.InfiniteLimits)
	// Only members come as far as libp2p's counters, so an address need not be limited more than the whole.
	subnets := func(bits int) []rcmgr.ConnLimitPerSubnet {
		return []rcmgr.ConnLimitPerSubnet{{ConnCount: p2pConns, PrefixLength: bits}}
	}
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits),
		rcmgr.WithLimitPerSubnet(subnets(32), subnets(64)), rcmgr.WithConnRateLimiters(&rate.Limiter{}))
}

// gate keeps the evicted out of every libp2p connection. Membership is proven by certificate in the handshakes: lent for direct
// connections, secure for relayed ones.
type gate struct{ host *Host }

// admits tells whether a peer could be a member.
func (g gate) admits(p peer.ID) bool {
	public, err := PeerID(p.String()).Public()
	c := g.host.Credentials()
	return err == nil && c != nil && !c.Trust.Evicted(public)
}

// InterceptPeerDial refuses to dial the evicted.
func (g gate) InterceptPeerDial(p peer.ID) bool { return g.admits(p) }

// InterceptAddrDial allows every address: what answers there must prove its membership.
func (g gate) InterceptAddrDial(peer.ID, ma.Multiaddr) bool { return true }

// InterceptAccept knows no identity yet.
func (g gate) InterceptAccept(network.ConnMultiaddrs) bool { return true }

// InterceptSecured refuses the evicted.
func (g gate) InterceptSecured(_ network.Direction, p peer.ID, _ network.ConnMultiaddrs) bool {
	return g.admits(p)
}

// InterceptUpgraded has nothing to add.
func (g gate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

// secure is the TLS of libp2p connections that go through a relay, with the certificate that proves membership; the relay reads
// nothing.
type secure struct{ host *Host }

var _ sec.SecureTransport = secure{}

// ID is that of libp2p's TLS, which this is.
func (s secure) ID() protocol.ID { return libp2ptls.ID }

// SecureInbound shakes hands as the server.
func (s secure) SecureInbound(ctx context.Context, raw net.Conn, p peer.ID) (sec.SecureConn, error) {
	return s.handshake(ctx, raw, tls.Server(raw, s.config()), p)
}

// SecureOutbound shakes hands as the client.
func (s secure) SecureOutbound(ctx context.Context, raw net.Conn, p peer.ID) (sec.SecureConn, error) {
	return s.handshake(ctx, raw, tls.Client(raw, s.config()), p)
}

func (s secure) config() *tls.Config {
	conf := s.host.baseTLS(yamux.ID)
	conf.VerifyPeerCertificate = s.host.verifyMember
	return conf
}

func (s secure) handshake(ctx context.Context, raw net.Conn, c *tls.Conn, want peer.ID) (sec.SecureConn, error) {
	key, err := s.shake(ctx, c)
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	id, err := peer.IDFromPublicKey(key)
	if err == nil && want != "" && id != want {
		err = errors.New("reached another peer")
	}
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return &secured{c, s.host.peerID(), id, key}, nil
}

func (s secure) shake(ctx context.Context, c *tls.Conn) (crypto.PubKey, error) {
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return libp2ptls.PubKeyFromCertChain(c.ConnectionState().PeerCertificates)
}

// secured is a connection after the handshake.
type secured struct {
	*tls.Conn
	local, remote peer.ID
	key           crypto.PubKey
}

func (c *secured) LocalPeer() peer.ID             { return c.local }
func (c *secured) RemotePeer() peer.ID            { return c.remote }
func (c *secured) RemotePublicKey() crypto.PubKey { return c.key }

// ConnState tells that the multiplexer was agreed on within the handshake.
func (c *secured) ConnState() network.ConnectionState {
	return network.ConnectionState{StreamMultiplexer: yamux.ID, UsedEarlyMuxerNegotiation: true}
}
