// Package shape gives a socket the links of a topology without root: rate with a bounded queue, delay, jitter, loss,
// reordering and rate traces, per destination. It shapes what a socket sends; both ends shape to get both directions.
package shape

import (
	"container/heap"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Shaper holds the links and may be changed at any time. One Shaper serves one socket.
type Shaper struct {
	// Constant after New.
	virtual bool
	start   time.Time

	mu      sync.Mutex
	rng     *rand.Rand
	links   map[netip.AddrPort]*link
	dflt    Link
	pending deliveries
	seq     uint64
	conn    *Conn
}

// Option changes a Shaper.
type Option func(*Shaper)

// Virtual makes the Shaper use ordinary timers, as testing/synctest needs; otherwise it waits on the system's most precise one.
func Virtual() Option { return func(s *Shaper) { s.virtual = true } }

// New makes a Shaper whose links are all perfect until Set. The seed decides losses and jitter.
func New(seed uint64, opts ...Option) *Shaper {
	s := &Shaper{rng: rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15)), links: map[netip.AddrPort]*link{}, start: time.Now()}
	for _, o := range opts {
		o(s)
	}
	return s
}

// link is one destination's state; guarded by Shaper.mu.
type link struct {
	Link
	own      bool // set by Set, not copied from the default
	free     time.Time
	last     time.Time
	bad      bool
	traceOff time.Time
	waiting  []waiting // in order of departure
	queued   int       // bytes in waiting
	stats    Stats
}

// waiting is a packet that has not yet begun transmission.
type waiting struct {
	begin time.Time
	size  int
}

// occupancy is the bytes that wait at a moment.
func (k *link) occupancy(now time.Time) int {
	i := 0
	for i < len(k.waiting) && !k.waiting[i].begin.After(now) {
		k.queued -= k.waiting[i].size
		i++
	}
	k.waiting = k.waiting[i:]
	return k.queued
}

// Set gives the link to one destination, now. Packets already under way keep the times they were given.
func (s *Shaper) Set(to netip.AddrPort, l Link) error {
	if err := l.Validate(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.link(to)
	k.Link, k.own, k.traceOff = l, true, time.Now()
	return nil
}

// SetDefault gives the link to every destination that Set was not called for.
func (s *Shaper) SetDefault(l Link) error {
	if err := l.Validate(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dflt = l
	for _, k := range s.links {
		if !k.own {
			k.Link, k.traceOff = l, time.Now()
		}
	}
	return nil
}

// Link is the link to a destination as set, and what it has done so far.
func (s *Shaper) Link(to netip.AddrPort) (Link, Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.links[canonical(to)]
	if !ok {
		return s.dflt, Stats{}
	}
	return k.Link, k.stats
}

func canonical(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// link finds or makes a destination's state; s.mu is held.
func (s *Shaper) link(to netip.AddrPort) *link {
	to = canonical(to)
	k, ok := s.links[to]
	if !ok {
		k = &link{Link: s.dflt, traceOff: time.Now()}
		s.links[to] = k
	}
	return k
}

// delivery is a packet under way.
type delivery struct {
	at   time.Time
	seq  uint64
	b    []byte
	oob  []byte // control messages beside the payload; nil on plain sockets
	to   net.Addr
	link *link
}

// deliveries is a heap by time, then by order of sending.
type deliveries []delivery

func (d deliveries) Len() int { return len(d) }
func (d deliveries) Less(i, j int) bool {
	if !d[i].at.Equal(d[j].at) {
		return d[i].at.Before(d[j].at)
	}
	return d[i].seq < d[j].seq
}
func (d deliveries) Swap(i, j int) { d[i], d[j] = d[j], d[i] }
func (d *deliveries) Push(x any)   { *d = append(*d, x.(delivery)) }
func (d *deliveries) Pop() any {
	old := *d
	x := old[len(old)-1]
	old[len(old)-1] = delivery{}
	*d = old[:len(old)-1]
	return x
}

// pass decides a packet's fate at time now: when it arrives, or that it never does. s.mu is held.
func (s *Shaper) pass(k *link, size int, now time.Time) (time.Time, bool) {
	if s.lose(k) {
		k.stats.Lost++
		return time.Time{}, false
	}
	depart := now
	if k.Rate > 0 || k.Trace != nil {
		begin := k.free
		if begin.Before(now) {
			begin = now
		}
		if begin.After(now) {
			rate := k.Rate
			if k.Trace != nil {
				rate = k.Trace.mean
			}
			if k.occupancy(now)+size > k.queue(rate) {
				k.stats.Overflow++
				return time.Time{}, false
			}
			k.waiting = append(k.waiting, waiting{begin, size})
			k.queued += size
			k.stats.MaxQueue = max(k.stats.MaxQueue, k.queued)
		}
		depart = k.serve(begin, size)
		k.stats.QueueTime += begin.Sub(now)
		k.stats.BusyFor += depart.Sub(begin)
		k.free = depart
	}
	at := depart.Add(k.Delay)
	if k.Reorder > 0 && s.rng.Float64() < k.Reorder {
		return depart.Add(k.Delay / 2), true
	}
	if k.Jitter > 0 {
		at = at.Add(max(-k.Delay, time.Duration(s.rng.NormFloat64()*float64(k.Jitter))))
	}
	if at.Before(k.last) {
		at = k.last
	}
	k.last = at
	return at, true
}

// serve is when a packet that begins transmission at begin is through: at the constant rate, or across the steps of a trace.
func (k *link) serve(begin time.Time, size int) time.Time {
	bits := float64(size) * 8
	if k.Trace == nil {
		return begin.Add(time.Duration(bits / k.Rate * float64(time.Second)))
	}
	for {
		rate, until := k.Trace.At(begin.Sub(k.traceOff))
		left := until - begin.Sub(k.traceOff)
		if can := rate * left.Seconds(); can < bits {
			bits -= can
			begin = begin.Add(left)
			continue
		}
		return begin.Add(time.Duration(bits / rate * float64(time.Second)))
	}
}

func (s *Shaper) lose(k *link) bool {
	p := k.Loss
	if g := k.Burst; g != nil {
		move := g.GoodToBad
		if k.bad {
			move = g.BadToGood
		}
		if s.rng.Float64() < move {
			k.bad = !k.bad
		}
		p = g.LossGood
		if k.bad {
			p = g.LossBad
		}
	}
	return p > 0 && s.rng.Float64() < p
}

// send takes what the socket's owner writes: one packet, or several of segment bytes each (the last may be shorter) when
// segment is not 0. direct reports that the link is perfect: then the caller writes to the socket itself.
func (s *Shaper) send(b, oob []byte, segment int, to net.Addr) (direct bool, err error) {
	dst, ok := addrPort(to)
	if !ok {
		return false, errors.New("shape: destination is not an IP address and port")
	}
	if segment <= 0 {
		segment = max(1, len(b))
	}
	now := time.Now()
	s.mu.Lock()
	k := s.link(dst)
	if k.Link == (Link{}) {
		k.stats.Packets += uint64((len(b) + segment - 1) / segment)
		k.stats.Bytes += uint64(len(b) + HeaderBytes)
		s.mu.Unlock()
		return true, nil
	}
	if len(oob) > 0 {
		oob = append([]byte(nil), oob...) // the caller uses its slice again; packets of one call share the copy
	}
	var first time.Time
	for len(b) > 0 {
		p := b[:min(segment, len(b))]
		b = b[len(p):]
		at, ok := s.pass(k, len(p)+HeaderBytes, now)
		if !ok {
			continue
		}
		s.seq++
		heap.Push(&s.pending, delivery{at: at, seq: s.seq, b: append(getBuffer(), p...), oob: oob, to: to, link: k})
		if s.pending[0].seq == s.seq {
			first = at
		}
	}
	s.mu.Unlock()
	if !first.IsZero() {
		s.conn.timer.Set(first)
	}
	return false, nil
}

// Waking for every packet would cost more than sending it. So a real Shaper sends what is due within early at once, and wakes
// at most once per quantum; both are far below what a path's delay is measured to. In virtual time packets wait for each other
// as long as a network card lets them, which hands over several at once: QUIC acknowledges those together.
const (
	early       = 100 * time.Microsecond
	quantum     = 250 * time.Microsecond
	coalescence = 100 * time.Microsecond
)

// due takes the packets whose time has come into out, and the time of the next; zero when there is none.
func (s *Shaper) due(out []delivery, now time.Time) ([]delivery, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	horizon := now
	if !s.virtual {
		horizon = now.Add(early)
	}
	for len(s.pending) > 0 && !s.pending[0].at.After(horizon) {
		d := heap.Pop(&s.pending).(delivery)
		d.link.stats.Packets++
		d.link.stats.Bytes += uint64(len(d.b) + HeaderBytes)
		d.link.stats.MaxLate = max(d.link.stats.MaxLate, now.Sub(d.at))
		out = append(out, d)
	}
	if len(s.pending) == 0 {
		return out, time.Time{}
	}
	next := s.pending[0].at
	apart := quantum
	if s.virtual {
		apart = coalescence
	}
	if next.Before(now.Add(apart)) {
		next = now.Add(apart)
	}
	return out, next
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 2048); return &b }}

func getBuffer() []byte { return (*buffers.Get().(*[]byte))[:0] }

func putBuffer(b []byte) { buffers.Put(&b) }

func addrPort(a net.Addr) (netip.AddrPort, bool) {
	if u, ok := a.(*net.UDPAddr); ok {
		ap := u.AddrPort()
		return ap, ap.IsValid()
	}
	ap, err := netip.ParseAddrPort(a.String())
	return ap, err == nil
}
