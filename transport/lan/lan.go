// Package lan finds other nodes of the mesh on the local network by multicast DNS (RFC 6762, RFC 6763). What it finds is a hint
// where to dial, never a proof: the dialled node must show its certificate like any other.
package lan

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	// askEvery is the longest time between questions; the first ones come sooner, each twice as late as the one before.
	askEvery = time.Minute
	askFirst = time.Second
	// answerEvery is the least time between two answers, so that a flood of questions makes no flood of answers.
	answerEvery = 250 * time.Millisecond
)

var group = &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353}

// Config describes a Service.
type Config struct {
	// Self is called for every answer and says what to announce; an empty Peer announces nothing.
	Self func() Announcement
	// Found is called for every other node of the same mesh that is heard of, again and again. It must not block.
	Found func(Announcement)
	// Interfaces are the networks to use; nil means all that are up and carry multicast.
	Interfaces []net.Interface
}

// Service announces this node and listens for others until Close.
type Service struct {
	cfg    Config
	conns  []*net.UDPConn
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	answered time.Time
}

// ErrNoMulticast is returned by Start when no interface carries multicast.
var ErrNoMulticast = errors.New("no network interface carries multicast")

// Start begins to announce and to ask.
func Start(cfg Config) (*Service, error) {
	ifs := cfg.Interfaces
	if ifs == nil {
		all, err := net.Interfaces()
		if err != nil {
			return nil, fmt.Errorf("look for nodes on the LAN: %w", err)
		}
		ifs = all
	}
	s := &Service{cfg: cfg}
	var errs []error
	for _, i := range ifs {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagMulticast == 0 {
			continue
		}
		c, err := listen(&i)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.conns = append(s.conns, c)
	}
	if len(s.conns) == 0 {
		return nil, fmt.Errorf("look for nodes on the LAN: %w: %w", ErrNoMulticast, errors.Join(errs...))
	}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	for _, c := range s.conns {
		s.wg.Add(1)
		go s.receive(c)
	}
	s.wg.Add(1)
	go s.ask(ctx)
	return s, nil
}

// receive serves one interface until its socket closes.
func (s *Service) receive(c *net.UDPConn) {
	defer s.wg.Done()
	b := make([]byte, maxMessage+1)
	for {
		n, _, err := c.ReadFromUDP(b)
		if err != nil {
			return
		}
		asks, found, err := parse(b[:n])
		if err != nil {
			continue // the group is shared with every other service of the LAN
		}
		self := s.cfg.Self()
		for _, a := range found {
			if a.Peer != self.Peer && a.Mesh == self.Mesh {
				s.cfg.Found(a)
			}
		}
		if asks {
			s.answer(self)
		}
	}
}

// answer announces this node on every interface.
func (s *Service) answer(self Announcement) {
	if self.Peer == "" {
		return
	}
	s.mu.Lock()
	now := time.Now()
	if now.Sub(s.answered) < answerEvery {
		s.mu.Unlock()
		return
	}
	s.answered = now
	s.mu.Unlock()
	if b, err := self.answer(); err == nil {
		s.send(b)
	}
}

// send puts a message on every interface. One that is down just now hears the next.
func (s *Service) send(b []byte) {
	for _, c := range s.conns {
		_, _ = c.WriteToUDP(b, group)
	}
}

// ask announces and asks, often at first.
func (s *Service) ask(ctx context.Context) {
	defer s.wg.Done()
	wait := askFirst
	for {
		s.answer(s.cfg.Self())
		if q, err := question(); err == nil {
			s.send(q)
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		wait = min(2*wait, askEvery)
	}
}

// Close stops and waits.
func (s *Service) Close() error {
	s.cancel()
	var errs []error
	for _, c := range s.conns {
		errs = append(errs, c.Close())
	}
	s.wg.Wait()
	return errors.Join(errs...)
}
