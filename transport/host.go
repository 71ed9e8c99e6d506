package transport

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/cleave-mesh/cleave/transport/admit"
	"github.com/cleave-mesh/cleave/transport/shape"
)

// PeerID is a peer's identity: the text form of a libp2p peer ID, derived from its ed25519 public key.
type PeerID string

// Kind says what a stream is for. Kinds are append-only wire ids. Those below 64 are the transport's own; a daemon numbers its
// own from 64 on.
type Kind uint16

// The transport's own kinds.
const (
	KindTensor  Kind = 1 // a one-way tensor with a Header
	KindProbe   Kind = 2 // the path probe: the body is counted and thrown away
	KindGossip  Kind = 3 // memberlist's push/pull
	KindRecords Kind = 4 // anti-entropy of node records
	KindAdmit   Kind = 5 // renewal of certificates, and joins that a member passes on
	KindObserve Kind = 6 // how a peer sees this host's address
	// KindUser is the first kind that a daemon may use.
	KindUser Kind = 64
)

// Config describes a Host.
type Config struct {
	// Identity is the host's key; required.
	Identity *Identity
	// Credentials prove membership to others and judge theirs; nil means that the host belongs to no mesh yet: it can Join,
	// and nothing else.
	Credentials *admit.Credentials
	// Listen is the UDP address to bind, "ip:port"; "" means 127.0.0.1:0.
	Listen string
	// Socket replaces the UDP socket (a simulated network); nil means that Listen is bound. The host closes it.
	Socket net.PacketConn
	// Shaper gives the socket a topology's links; nil means unshaped.
	Shaper *shape.Shaper
	// IdleTimeout is how long a connection without traffic stays; 0 means 60 s.
	IdleTimeout time.Duration
	// KeepAlive is the period of keep-alive packets on connections; 0 means none.
	KeepAlive time.Duration
	// MaxStreams limits the streams that one peer may have open towards this host; 0 means 256.
	MaxStreams int
	// Window is the most bytes that one peer may have in flight towards this host beyond what handlers have read: the bound
	// on memory per peer; 0 means 32 MiB.
	Window int64
	// StallAfter is how long a peer that owes an answer to a liveness ping may be silent before PeerStalled is reported, in
	// addition to the path's own round-trip time; 0 means 500 ms.
	StallAfter time.Duration
	// Relay makes this host a libp2p circuit relay for other members; for hosts that everyone can reach.
	Relay bool
	// Renewed is called with the credentials after a renewal or a change of the authority's key, to save them; nil means that
	// nobody does.
	Renewed func(*admit.Credentials)
	// Logger receives connections made, refused and lost; nil means silence.
	Logger *slog.Logger
}

// Errors of the transport.
var (
	// ErrClosed is returned by calls on a closed Host.
	ErrClosed = errors.New("transport: host is closed")
	// ErrNoAddress is returned when a peer must be dialled and no address of it is known.
	ErrNoAddress = errors.New("transport: no address known for the peer")
	// ErrNotMember is returned when this host has no credentials yet.
	ErrNotMember = errors.New("transport: this host is not a member of a mesh")
	// ErrRefused is returned when the peer refused the connection; the message carries the peer's reason.
	ErrRefused = errors.New("transport: the peer refused")
	// ErrTooLarge is returned when a message exceeds its limit.
	ErrTooLarge = errors.New("transport: message too large")
	// ErrUnhandled is returned when the peer has no handler for the kind.
	ErrUnhandled = errors.New("transport: the peer does not serve this kind")
)

// RemoteError is an error that the peer's handler reported with Incoming.Fail.
type RemoteError struct {
	Peer PeerID
	Code Code
	Text string
}

func (e *RemoteError) Error() string {
	return "transport: peer " + e.Peer.Short() + ": " + e.Code.String() + ": " + e.Text
}

// Is makes errors.Is see ErrUnhandled and ErrRefused in a remote error.
func (e *RemoteError) Is(target error) bool {
	return target == ErrUnhandled && e.Code == CodeUnhandled || target == ErrRefused && e.Code == CodeRefused
}

// Handler serves one incoming stream. It runs in a goroutine of its own; ctx ends when the peer gives up, when the sender's
// remaining time is over, or when the host closes. The stream ends when the handler returns.
type Handler func(ctx context.Context, in *Incoming)

// Listen opens the socket and starts to accept. The host runs until Close; ctx bounds only the opening.
func Listen(ctx context.Context, cfg Config) (*Host, error) { return listen(ctx, cfg) }

// ID is the host's own identity.
func (h *Host) ID() PeerID { return h.identity.ID() }

// Addrs lists the addresses at which others may reach this host.
func (h *Host) Addrs() []string { return h.addrs() }

// Learn adds addresses ("ip:port") of a peer. They are tried, newest first, when the peer must be dialled.
func (h *Host) Learn(peer PeerID, addrs ...string) { h.book.learn(peer, addrs) }

// Forget drops what is known of a peer and closes its connections.
func (h *Host) Forget(peer PeerID) { h.forget(peer) }

// Handle makes fn serve incoming streams of the kind; nil removes the handler. Safe at any time.
func (h *Host) Handle(kind Kind, fn Handler) { h.handlers.set(kind, fn) }

// Send carries one tensor to a peer. It dials if needed, writes the header, lets body write the payload (encode and send
// overlap), and returns once the peer has read everything, or with the error by which the peer, the network or body ended it.
// The deadline of ctx travels along as the remaining time and orders concurrent sends by urgency.
func (h *Host) Send(ctx context.Context, to PeerID, hd Header, body func(io.Writer) error) error {
	return h.send(ctx, to, hd, body)
}

// Call makes one small request and returns the answer; both are limited to MaxMessage bytes.
func (h *Host) Call(ctx context.Context, to PeerID, kind Kind, request []byte) ([]byte, error) {
	return h.call(ctx, to, kind, request)
}

// Open starts a stream in both directions without a size limit, for files and long answers. The peer's handler for the kind
// serves it. The caller must Close it.
func (h *Host) Open(ctx context.Context, to PeerID, kind Kind) (*Stream, error) {
	return h.open(ctx, to, kind, urgencyBulk)
}

// Connect makes sure that there is a connection to the peer.
func (h *Host) Connect(ctx context.Context, peer PeerID) error {
	_, err := h.connect(ctx, peer)
	return err
}

// Paths reports every peer that a path is known to, ordered by identity.
func (h *Host) Paths() []PathState { return h.pathStates() }

// Path reports the directed path to one peer; false when nothing is known.
func (h *Host) Path(peer PeerID) (PathState, bool) { return h.pathState(peer) }

// Probe measures the path to a peer with a small and a larger message (at most ProbeBudget bytes) and returns the new state.
func (h *Host) Probe(ctx context.Context, peer PeerID) (PathState, error) { return h.probe(ctx, peer) }

// PeerEvents is the stream of what happens to peers. Events are kept in order in a queue of EventQueue places; when the reader
// is slower, the oldest is dropped. The channel closes with the host.
func (h *Host) PeerEvents() <-chan PeerEvent { return h.events.Events() }

// Close ends every stream and connection, waits for all goroutines and handlers, and closes the socket. It returns within a
// second as long as handlers honour their context.
func (h *Host) Close() error { return h.close() }
