package transporttest

import (
	"net"
	"testing"

	"github.com/quic-go/quic-go/testutils/simnet"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
	"github.com/cleave-mesh/cleave/transport/shape"
)

// Virtual is a network in memory, for use inside a testing/synctest bubble: its time is virtual, so that an hour of a hundred
// nodes passes in seconds, and the machine's load changes nothing.
type Virtual struct {
	router simnet.PerfectRouter
	next   int
	// Conns are the sockets in order of creation, with counts of packets and bytes.
	Conns []*simnet.SimConn
}

// Socket makes a socket with an address of its own.
func (v *Virtual) Socket() net.PacketConn {
	v.next++
	addr := &net.UDPAddr{IP: net.IPv4(10, byte(v.next>>16), byte(v.next>>8), byte(v.next)).To4(), Port: 25328}
	c := simnet.NewBlockingSimConn(addr, &v.router)
	v.Conns = append(v.Conns, c)
	return socket{c}
}

// socket writes IPv4 addresses in the one form that simnet's routing table knows.
type socket struct{ *simnet.SimConn }

func (s socket) WriteTo(b []byte, to net.Addr) (int, error) {
	if u, ok := to.(*net.UDPAddr); ok && len(u.IP) != net.IPv4len && u.IP.To4() != nil {
		to = &net.UDPAddr{IP: u.IP.To4(), Port: u.Port}
	}
	return s.SimConn.WriteTo(b, to)
}

// Configure puts a host onto the network behind a Shaper whose links are all l; the seed decides losses and jitter.
func (v *Virtual) Configure(tb testing.TB, c *transport.Config, l shape.Link, seed uint64) *shape.Shaper {
	tb.Helper()
	s := shape.New(seed, shape.Virtual())
	if err := s.SetDefault(l); err != nil {
		tb.Fatal(err)
	}
	c.Socket, c.Shaper = v.Socket(), s
	return s
}

// NewVirtual makes a mesh of n hosts on one virtual network with equal links.
func NewVirtual(tb testing.TB, n int, l shape.Link, seed uint64) (*Mesh, *Virtual, []*shape.Shaper) {
	tb.Helper()
	v := &Virtual{}
	shapers := make([]*shape.Shaper, n)
	m := New(tb, n, func(i int, c *transport.Config) { shapers[i] = v.Configure(tb, c, l, seed+uint64(i)) })
	return m, v, shapers
}

// Close closes every host; a synctest bubble must end without goroutines, before the test's cleanups run.
func (m *Mesh) Close() {
	for _, h := range m.Hosts {
		_ = h.Close()
	}
}

// Join adds an admitted host that knows the first host only.
func (m *Mesh) Join(tb testing.TB, config func(*transport.Config)) *transport.Host {
	tb.Helper()
	h := m.Add(tb, admit.Member, config)
	m.Hosts = append(m.Hosts, h)
	h.Learn(m.Hosts[0].ID(), m.Hosts[0].Addrs()...)
	return h
}
