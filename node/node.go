package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"connectrpc.com/connect"

	"github.com/cleave-mesh/cleave/node/host"
	"github.com/cleave-mesh/cleave/node/store"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/backends"
	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
)

// errStopped ends requests that were under way when their node was stopped.
var errStopped = errors.New("the node was stopped")

// Node is a running daemon. Start makes one; Close ends it.
type Node struct {
	// Constant after Start.
	set          *settings
	log          *slog.Logger
	begun        time.Time
	ctx          context.Context
	stop         context.CancelFunc
	folder       *store.Folder
	names        *store.Names
	graphs       *graphs
	calibrations *calibrations
	host         *host.Host
	mesh         *transport.Host
	links        *links
	peers        *directory
	profiles     *profileTable
	transfers    *transferTable
	frames       *frameTable
	flights      *flightTable
	doubts       *doubts
	overheads    *overheads
	loads        *loads
	plans        *planTable
	runs         *runTable
	metrics      *metrics
	fetches      *fetchTable
	// authority issues certificates and tokens; nil on nodes that are none.
	authority *admit.Issuer
	// plansStale is set when a path has changed since the control loop last looked.
	plansStale atomic.Bool
	// speedsStale is set when a profile or a load has changed since then.
	speedsStale atomic.Bool
	// lastUse is when a request last began here, by now().
	lastUse atomic.Int64
	// probing is set while a stale path is measured: one at a time.
	probing  atomic.Bool
	listener net.Listener // nil without an HTTP interface
	server   *http.Server
	// grpcErrors writes the errors of gRPC calls that no handler of theirs answers.
	grpcErrors *connect.ErrorWriter

	work sync.WaitGroup // goroutines of the node itself

	mu     sync.Mutex
	closed bool // guarded by mu
}

// Start runs a node. It returns when the node is a member of its mesh and answers on its HTTP interface; ctx bounds only the
// start. Errors are one line that names what is wrong and what helps.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	set, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	n := &Node{
		set: set, log: set.Log, begun: time.Now(), transfers: newTransferTable(), frames: newFrameTable(), flights: newFlightTable(), doubts: newDoubts(), overheads: newOverheads(), loads: newLoads(),
		plans: newPlanTable(set.MaxRequests), runs: newRunTable(), fetches: newFetchTable(),
		calibrations: newCalibrations(), grpcErrors: connect.NewErrorWriter(),
	}
	n.ctx, n.stop = context.WithCancel(context.Background())
	if err := n.start(ctx); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

func (n *Node) start(ctx context.Context) (err error) {
	if n.folder, err = store.Open(n.set.Data); err != nil {
		return err
	}
	if n.names, err = store.OpenNames(n.folder); err != nil {
		return err
	}
	if n.profiles, err = openProfiles(n.folder); err != nil {
		return err
	}
	n.graphs = newGraphs(n.folder)
	if err := n.startHost(); err != nil {
		return err
	}
	n.metrics = newMetrics(n)
	// The port of the HTTP interface is taken before anything else becomes visible to others.
	if n.set.API != "off" {
		if n.listener, err = net.Listen("tcp", n.set.API); err != nil {
			return portError("--api", n.set.API, err)
		}
	}
	if err := n.startMesh(ctx); err != nil {
		return err
	}
	if n.listener != nil {
		n.serve()
		// Whoever started the node on a free port finds it here.
		if err := n.folder.WriteFile(apiFile, []byte(n.API())); err != nil {
			return err
		}
	}
	n.beside(n.profileLoop)
	n.beside(n.controlLoop)
	return nil
}

// apiFile holds the address of the HTTP interface while the node runs.
const apiFile = "api"

// startHost opens the engines.
func (n *Node) startHost() error {
	var use []engine.Backend
	for _, b := range backends.Backends() {
		if len(n.set.Backends) == 0 || contains(n.set.Backends, b.Name()) {
			use = append(use, b)
		}
	}
	if len(use) == 0 {
		return fmt.Errorf("%w: backends %v: none of them is on this machine", ErrConfig, n.set.Backends)
	}
	quiet, err := newQuiet(n.set)
	if err != nil {
		return err
	}
	n.host, err = host.New(host.Config{
		Backends: use, Threads: n.set.Threads, Speed: n.set.Speed, Memory: n.set.memory, Quiet: quiet,
	})
	return err
}

func contains[T comparable](list []T, s T) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// portError says which port is taken and what helps.
func portError(flag, addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("address %s is in use by another process: stop it, or choose another with %s", addr, flag)
	}
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return fmt.Errorf("address %s is not one of this machine: choose another with %s", addr, flag)
	}
	return fmt.Errorf("listen on %s (%s): %w", addr, flag, err)
}

// now is the node's monotonic clock, which the machines of its requests run by.
func (n *Node) now() time.Duration { return time.Since(n.begun) }

// beside runs work until the node stops.
func (n *Node) beside(work func(ctx context.Context)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	n.work.Add(1)
	go func() {
		defer n.work.Done()
		work(n.ctx)
	}()
}

// API is the address of the HTTP interface; "" when there is none.
func (n *Node) API() string {
	if n.listener == nil {
		return ""
	}
	return n.listener.Addr().String()
}

// ID is the node's identity in the mesh.
func (n *Node) ID() transport.PeerID { return n.mesh.ID() }

// Name is what people call the node.
func (n *Node) Name() string { return n.set.Name }

// Mesh are the addresses at which other members reach the node.
func (n *Node) Mesh() []string { return n.mesh.Addrs() }

// Close leaves the mesh, ends what is under way and frees everything. It waits for every goroutine of the node.
func (n *Node) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	n.mu.Unlock()

	var errs []error
	if n.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		if err := n.server.Shutdown(ctx); err != nil { // requests still under way end with the node's context below
			errs = append(errs, n.server.Close())
		}
		cancel()
	} else if n.listener != nil {
		errs = append(errs, n.listener.Close())
	}
	n.leave()
	n.stop()
	n.flights.close()
	n.work.Wait()
	if n.mesh != nil {
		errs = append(errs, n.mesh.Close())
	}
	if n.host != nil {
		n.host.Close()
	}
	if n.folder != nil {
		errs = append(errs, n.folder.Close())
	}
	return errors.Join(errs...)
}

// drainTime is how long Close lets requests finish.
const drainTime = 300 * time.Millisecond

// pid is this process.
var pid = os.Getpid()
