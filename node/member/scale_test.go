package member

import (
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
)

const (
	// datagramBytes is what a packet of gossip costs beside its own bytes: IPv4 and UDP 28, QUIC's short header with a connection
	// id of 8 bytes and a packet number of 2, a datagram frame's type and length 3, the cipher's tag 16.
	datagramBytes = 28 + 11 + 3 + 16
	// streamBytes is the same for each 1,200 bytes of a stream, whose frames have an id, an offset and a length.
	streamBytes  = 28 + 11 + 12 + 16
	streamPacket = 1200
	// memDelay and memLoss are the network's.
	memDelay = time.Millisecond
	memLoss  = 0.01
)

// memNet is a network of packets in memory. It stands for QUIC connections between all members, for a mesh too large to have
// them in one process: memberlist runs as in a Group, with the same configuration and metadata, and every packet is counted
// with QUIC's framing. Left out are what the connections themselves send (handshakes, acknowledgements, keep-alives), records
// and their anti-entropy, and repetitions: streams lose nothing here.
type memNet struct {
	packets, streams atomic.Uint64 // bytes

	mu    sync.Mutex
	rng   *rand.Rand
	wires map[string]*memWire
}

// memWire is one node's end.
type memWire struct {
	net     *memNet
	addr    *net.UDPAddr
	packets chan *memberlist.Packet
	streams chan net.Conn
	done    chan struct{}
	once    sync.Once
}

func (n *memNet) add(name string) *memWire {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := &memWire{
		net: n, addr: addressOf(transport.PeerID(name)), packets: make(chan *memberlist.Packet, packetQueue),
		streams: make(chan net.Conn), done: make(chan struct{}),
	}
	n.wires[name] = w
	return w
}

func (n *memNet) to(name string) (w *memWire, lost bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.wires[name], n.rng.Float64() < memLoss
}

func (w *memWire) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return w.addr.IP, w.addr.Port, nil
}
func (w *memWire) WriteTo([]byte, string) (time.Time, error) { return time.Time{}, errNoName }
func (w *memWire) DialTimeout(string, time.Duration) (net.Conn, error) {
	return nil, errNoName
}
func (w *memWire) PacketCh() <-chan *memberlist.Packet { return w.packets }
func (w *memWire) StreamCh() <-chan net.Conn           { return w.streams }

func (w *memWire) WriteToAddress(b []byte, addr memberlist.Address) (time.Time, error) {
	w.net.packets.Add(uint64(len(b) + datagramBytes))
	to, lost := w.net.to(addr.Name)
	if to == nil || lost {
		return time.Now(), nil
	}
	b = append([]byte(nil), b...)
	time.AfterFunc(memDelay, func() {
		select {
		case to.packets <- &memberlist.Packet{Buf: b, From: w.addr, Timestamp: time.Now()}:
		default:
		}
	})
	return time.Now(), nil
}

func (w *memWire) DialAddressTimeout(addr memberlist.Address, timeout time.Duration) (net.Conn, error) {
	to, _ := w.net.to(addr.Name)
	if to == nil {
		return nil, net.ErrClosed
	}
	here, there := net.Pipe()
	wait := time.NewTimer(timeout)
	defer wait.Stop()
	select {
	case to.streams <- countedConn{there, w.net}:
		return countedConn{here, w.net}, nil
	case <-to.done:
	case <-wait.C:
	}
	_, _ = here.Close(), there.Close()
	return nil, net.ErrClosed
}

func (w *memWire) Shutdown() error {
	w.once.Do(func() { close(w.done) })
	return nil
}

// countedConn counts what is written with the framing of a stream.
type countedConn struct {
	net.Conn
	net *memNet
}

func (c countedConn) Write(b []byte) (int, error) {
	c.net.streams.Add(uint64(len(b) + (len(b)/streamPacket+1)*streamBytes))
	return c.Conn.Write(b)
}

// memNode is what memberlist calls back.
type memNode struct {
	meta   []byte
	failed *atomic.Int64
}

func (n memNode) NodeMeta(int) []byte               { return n.meta }
func (memNode) NotifyMsg([]byte)                    {}
func (memNode) GetBroadcasts(int, int) [][]byte     { return nil }
func (memNode) LocalState(bool) []byte              { return nil }
func (memNode) MergeRemoteState([]byte, bool)       {}
func (memNode) NotifyJoin(*memberlist.Node)         {}
func (memNode) NotifyUpdate(*memberlist.Node)       {}
func (n memNode) NotifyLeave(node *memberlist.Node) { n.failed.Add(1) }

// converged starts n memberlists that know each other, as long after they have joined as it takes until the rumours of that have ended: a
// thousand nodes pass on sixteen million of them.
func converged(t *testing.T, n int, seed uint64) (*memNet, []*memberlist.Memberlist, *atomic.Int64) {
	t.Helper()
	network := &memNet{rng: rand.New(rand.NewPCG(seed, 0)), wires: map[string]*memWire{}}
	lists, failed := make([]*memberlist.Memberlist, n), new(atomic.Int64)
	name := func(i int) string { return fmt.Sprintf("%052d", i) } // as long as an identity
	for i := range lists {
		m := meta{name: fmt.Sprintf("node-%04d", i), role: admit.Member, addrs: []string{"192.168.100.100:25328", "203.0.113.100:25328"}}
		d := memNode{m.append(nil, memberlist.MetaMaxSize), failed}
		mc := listConfig(name(i), LAN(), network.add(name(i)))
		mc.Delegate, mc.Events, mc.Logger = d, d, log.New(io.Discard, "", 0)
		var err error
		if lists[i], err = memberlist.Create(mc); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time each learns who came after it
		for i := 1; i < n; i++ {
			if _, err := lists[i].Join([]string{joinName(transport.PeerID(name(0)))}); err != nil {
				t.Fatalf("node %d: %v", i, err)
			}
			synctest.Wait() // until the other side has taken this one in
			rumours(lists[i]).Reset()
			rumours(lists[0]).Reset()
		}
	}
	for _, l := range lists {
		if l.NumMembers() != n {
			t.Fatalf("%s knows %d nodes of %d", l.LocalNode().Name, l.NumMembers(), n)
		}
	}
	network.packets.Store(0)
	network.streams.Store(0)
	return network, lists, failed
}

// rumours is what a memberlist has to pass on. memberlist has no way to ask for it.
func rumours(l *memberlist.Memberlist) *memberlist.TransmitLimitedQueue {
	return (*memberlist.TransmitLimitedQueue)(reflect.ValueOf(l).Elem().FieldByName("broadcasts").UnsafePointer())
}

// Gossip exchanges whole lists at a period that grows with the mesh: a minute, three for 100 nodes, six for 1,000. The first comes up to
// a minute and a period after the start.
const (
	firstExchange = 7 * time.Minute
	exchangeSpan  = 6 * time.Minute
)

// TestGossipBytes reports what a node of a quiet mesh sends, by the size of the mesh: CLEAVE_SWEEP adds 100 nodes, CLEAVE_HUGE 1,000.
func TestGossipBytes(t *testing.T) {
	sizes := []int{10}
	if os.Getenv("CLEAVE_SWEEP") != "" {
		sizes = append(sizes, 100)
	}
	if os.Getenv("CLEAVE_HUGE") != "" {
		sizes = append(sizes, 1000)
	}
	for _, n := range sizes {
		synctest.Test(t, func(t *testing.T) {
			network, lists, failed := converged(t, n, 1)
			time.Sleep(firstExchange)
			packets, streams := network.packets.Load(), network.streams.Load()
			time.Sleep(exchangeSpan)
			per := func(bytes uint64) float64 { return float64(bytes) / exchangeSpan.Seconds() / float64(n) }
			packetRate, streamRate := per(network.packets.Load()-packets), per(network.streams.Load()-streams)
			if failed.Load() != 0 {
				t.Errorf("%d false deaths", failed.Load())
			}
			for _, l := range lists {
				_ = l.Shutdown()
			}
			time.Sleep(time.Minute) // memberlist does not wait for a probe under way; no virtual test may end before it
			t.Logf("%d nodes: %.0f bytes per node and second when quiet: %.0f in packets, %.0f in exchanges of whole lists",
				n, packetRate+streamRate, packetRate, streamRate)
		})
	}
}
