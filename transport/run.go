package transport

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cleave-mesh/cleave/internal/feed"
	"github.com/cleave-mesh/cleave/transport/admit"
	"github.com/cleave-mesh/cleave/transport/pace"
)

// Defaults of Config, and sizes that are not settings.
const (
	defaultIdle       = 60 * time.Second
	defaultStreams    = 256
	defaultWindow     = 32 << 20
	defaultStallAfter = 500 * time.Millisecond
	handshakeTimeout  = 5 * time.Second
	socketBuffer      = 7 << 20
	initialStreamWin  = 12 << 20
	initialConnWin    = 16 << 20
)

// Host is one node's end of the mesh. Safe for concurrent use.
type Host struct {
	// Constant after listen.
	identity *Identity
	cfg      Config
	log      *slog.Logger
	socket   net.PacketConn
	pace     *pace.Conn
	tr       *quic.Transport
	ln       *quic.Listener
	quicConf *quic.Config
	ctx      context.Context
	cancel   context.CancelFunc

	book      addressBook
	handlers  handlerTable
	events    *feed.Feed[PeerEvent]
	tunnel    *tunnel
	inner     *quic.Transport
	innerLn   *quic.Listener
	relayWake chan struct{}
	watchWake chan struct{}
	renewWake chan struct{}
	libp2p    atomic.Pointer[p2p] // nil until it is needed: see p2p.go
	p2pMu     sync.Mutex          // held while libp2p starts
	joins     chan struct{}       // a place for each join that is served
	wg        sync.WaitGroup
	packets   atomic.Pointer[PacketHandler]
	cert      atomic.Pointer[certificate]
	credMu    sync.Mutex // held while cert is replaced

	mu       sync.Mutex
	peers    map[PeerID]*remote
	issuer   *joinDesk
	relays   []PeerID
	external string
	closed   bool
}

func listen(ctx context.Context, cfg Config) (*Host, error) {
	if cfg.Identity == nil {
		return nil, fmt.Errorf("transport: listen: Config.Identity is required")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = defaultIdle
	}
	if cfg.MaxStreams == 0 {
		cfg.MaxStreams = defaultStreams
	}
	if cfg.Window == 0 {
		cfg.Window = defaultWindow
	}
	if cfg.StallAfter == 0 {
		cfg.StallAfter = defaultStallAfter
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	socket := cfg.Socket
	if socket == nil {
		laddr, err := net.ResolveUDPAddr("udp", cfg.Listen)
		if err != nil {
			return nil, fmt.Errorf("transport: listen on %s: %w", cfg.Listen, err)
		}
		udp, err := net.ListenUDP("udp", laddr)
		if err != nil {
			return nil, fmt.Errorf("transport: listen on %s: %w", cfg.Listen, err)
		}
		// The system may grant less; then bursts lose more packets, and that is all.
		_ = udp.SetReadBuffer(socketBuffer)
		_ = udp.SetWriteBuffer(socketBuffer)
		socket = udp
	}
	if cfg.Shaper != nil {
		socket = cfg.Shaper.Wrap(socket)
	}
	pacer, socket := pace.Wrap(socket)
	h := &Host{
		identity: cfg.Identity, cfg: cfg, log: cfg.Logger, socket: socket, pace: pacer,
		joins: make(chan struct{}, maxJoins), events: feed.New(EventQueue, feed.DropOldest[PeerEvent]), peers: map[PeerID]*remote{},
		relayWake: make(chan struct{}, 1), watchWake: make(chan struct{}, 1), renewWake: make(chan struct{}, 1),
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	if err := h.setCredentials(cfg.Credentials); err != nil {
		h.cancel()
		_ = socket.Close()
		return nil, err
	}
	if err := h.startQUIC(); err != nil {
		h.cancel()
		_ = socket.Close()
		return nil, fmt.Errorf("transport: %w", err)
	}
	h.Handle(KindProbe, serveProbe)
	h.Handle(KindObserve, serveObserve)
	h.Handle(KindAdmit, h.serveAdmit)
	h.wg.Add(6)
	go h.renewLoop()
	go h.acceptLoop(h.ln, false)
	go h.acceptLoop(h.innerLn, true)
	go h.keepPaths()
	go h.watchLoop()
	go func() { defer h.wg.Done(); h.events.Run(h.ctx) }()
	return h, nil
}

// startQUIC puts QUIC onto the socket.
func (h *Host) startQUIC() error {
	reset := h.identity.resetKey()
	h.quicConf = &quic.Config{
		HandshakeIdleTimeout:           handshakeTimeout,
		MaxIdleTimeout:                 h.cfg.IdleTimeout,
		KeepAlivePeriod:                h.cfg.KeepAlive,
		InitialStreamReceiveWindow:     min(initialStreamWin, uint64(h.cfg.Window)),
		MaxStreamReceiveWindow:         uint64(h.cfg.Window),
		InitialConnectionReceiveWindow: min(initialConnWin, uint64(h.cfg.Window)),
		MaxConnectionReceiveWindow:     uint64(h.cfg.Window),
		MaxIncomingStreams:             int64(h.cfg.MaxStreams),
		MaxIncomingUniStreams:          -1,
		EnableDatagrams:                true,
	}
	h.tr = &quic.Transport{
		Conn:                h.socket,
		StatelessResetKey:   &reset,
		VerifySourceAddress: newSourceCheck(),
	}
	var err error
	if h.ln, err = h.tr.Listen(h.portTLS(), h.quicConf); err != nil {
		return err
	}
	h.tunnel = newTunnel(h)
	h.inner = &quic.Transport{Conn: h.tunnel}
	h.innerLn, err = h.inner.Listen(h.serverTLS(alpnMember), h.innerConfig())
	return err
}

func (h *Host) addrs() []string {
	a, ok := h.socket.LocalAddr().(*net.UDPAddr)
	if !ok {
		return []string{h.socket.LocalAddr().String()}
	}
	if !a.IP.IsUnspecified() {
		return []string{a.String()}
	}
	var out []string
	ifs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	port := strconv.Itoa(a.Port)
	for _, i := range ifs {
		n, ok := i.(*net.IPNet)
		if !ok || n.IP.IsLinkLocalUnicast() {
			continue
		}
		if addr := net.JoinHostPort(n.IP.String(), port); n.IP.IsLoopback() {
			out = append(out, addr)
		} else {
			out = slices.Insert(out, 0, addr)
		}
	}
	return out
}

// remote finds or makes what is known of a peer.
func (h *Host) remote(id PeerID) *remote {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, ok := h.peers[id]
	if !ok {
		r = newRemote(id)
		h.peers[id] = r
	}
	return r
}

func (h *Host) known(id PeerID) (*remote, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, ok := h.peers[id]
	return r, ok
}

func (h *Host) remotes() []*remote {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]*remote, 0, len(h.peers))
	for _, r := range h.peers {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *remote) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	return out
}

func (h *Host) forget(id PeerID) {
	h.book.forget(id)
	h.mu.Lock()
	r, ok := h.peers[id]
	delete(h.peers, id)
	h.mu.Unlock()
	if ok {
		r.closeAll(CodeClosing, "forgotten")
	}
	h.dropLibp2p(id, time.Now())
}

func (h *Host) close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		h.wg.Wait()
		return nil
	}
	h.closed = true
	h.mu.Unlock()
	h.cancel()
	h.pace.Release()
	for _, r := range h.remotes() {
		r.closeAll(CodeClosing, "host is closing")
	}
	h.p2pMu.Lock() // whatever starts libp2p sees from here on that the host is closed
	p := h.libp2p.Load()
	h.p2pMu.Unlock()
	_ = h.innerLn.Close()
	_ = h.inner.Close()
	_ = h.tunnel.Close()
	if p != nil {
		p.close()
	}
	_ = h.ln.Close()
	err := h.tr.Close()
	if serr := h.socket.Close(); err == nil {
		err = serr
	}
	h.wg.Wait()
	return err
}

// enter counts a goroutine that Close waits for; false when the host is closed.
func (h *Host) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.wg.Add(1)
	return true
}

// Credentials are the host's own; nil while it belongs to no mesh.
func (h *Host) Credentials() *admit.Credentials {
	return h.cert.Load().creds
}
