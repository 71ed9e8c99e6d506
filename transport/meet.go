package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cleave-mesh/cleave/transport/admit"
)

// How two members behind NATs find a path: each keeps a connection to a relay, which sees their outer addresses. Asked to
// introduce A to B, the relay tells B where A is and A where B is; both dial at once, so that each NAT sees its own side send
// first. Where the NATs give every destination another port, the dials fail, and the connection goes through the relay.
//
//	meet := 1                          answer: address              how do you see me
//	      | 2 target(32) addresses     answer: addresses            introduce me
//	      | 3 caller(32) addresses     answer: addresses            (relay to target) dial this caller now
//	addresses := { length(2) address }*

const (
	meetObserve   = 1
	meetIntroduce = 2
	meetExpect    = 3

	// maxMeetAddrs is the most addresses of one peer in a message.
	maxMeetAddrs = 16
	maxMeet      = 1 + 32 + maxMeetAddrs*(2+512)

	// directTimeout is how long known addresses are tried while other ways remain, punchTimeout how long both sides of an
	// introduction dial.
	directTimeout = 2 * time.Second
	punchTimeout  = 3 * time.Second
	// introduceWait is how long a relay waits for a target that is not connected yet.
	introduceWait = 500 * time.Millisecond
	// maxRelays is how many relays a host keeps a connection to.
	maxRelays = 3
	// relayKeepAlive keeps the NAT's mapping towards a relay.
	relayKeepAlive = 15 * time.Second
)

// SetRelays names members that introduce and relay for this host, the preferred one first. The host keeps a connection to each
// of the first three.
func (h *Host) SetRelays(ids []PeerID) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id PeerID) bool { return id == h.ID() })
	h.mu.Lock()
	h.relays = ids[:min(len(ids), maxRelays)]
	h.mu.Unlock()
	select {
	case h.relayWake <- struct{}{}:
	default:
	}
}

// relayList is the relays in order of preference.
func (h *Host) relayList() []PeerID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.relays)
}

// Relay tells whether this host relays for others.
func (h *Host) Relay() bool { return h.cfg.Relay }

// External is this host's address as others see it; "" when unknown or the same as an own one.
func (h *Host) External() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.external
}

// keepRelays dials relays that are not connected and keeps the mappings towards the others.
func (h *Host) keepRelays() {
	defer h.wg.Done()
	tick := time.NewTimer(relayKeepAlive / 3)
	defer tick.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-tick.C:
		case <-h.relayWake:
		}
		for _, id := range h.relayList() {
			r := h.remote(id)
			if l := r.direct(); l != nil {
				_ = h.sendDatagram(l, packetPing, binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixNano())))
				continue
			}
			ctx, cancel := context.WithTimeout(h.ctx, dialTimeout)
			if _, err := h.dialDirect(ctx, r, dialTimeout); err != nil {
				h.log.Debug("relay not reached", "peer", id.Short(), "error", err.Error())
			}
			cancel()
		}
		tick.Reset(relayKeepAlive / 3)
	}
}

// observe asks a peer that this host has dialled how it sees this host.
func (h *Host) observe(l *link) {
	ctx, cancel := context.WithTimeout(h.ctx, punchTimeout)
	defer cancel()
	b, err := h.call(ctx, l.peer.id, KindMeet, []byte{meetObserve})
	if err != nil {
		return
	}
	addrs, err := parseAddresses(b)
	if err != nil || len(addrs) != 1 {
		return
	}
	ext := addrs[0]
	if slices.Contains(h.addrs(), ext) {
		ext = ""
	}
	h.mu.Lock()
	h.external = ext
	h.mu.Unlock()
}

// reachable is every address at which this host might be reached.
func (h *Host) reachable() []string {
	out := h.addrs()
	if ext := h.External(); ext != "" {
		out = append([]string{ext}, out...)
	}
	return out[:min(len(out), maxMeetAddrs)]
}

// introducers are connected peers that may know the target, relays first.
func (h *Host) introducers(target PeerID) []*remote {
	var out []*remote
	for _, id := range h.relayList() {
		if r, ok := h.known(id); ok && id != target && r.direct() != nil {
			out = append(out, r)
		}
	}
	return out
}

// introduced asks a relay to introduce this host to a peer, and dials while the peer dials.
func (h *Host) introduced(ctx context.Context, relay *remote, r *remote) (*link, error) {
	public, err := r.id.Public()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, punchTimeout)
	defer cancel()
	req := appendAddresses(append([]byte{meetIntroduce}, public...), h.reachable())
	b, err := h.call(ctx, relay.id, KindMeet, req)
	if err != nil {
		return nil, fmt.Errorf("introduction by %s: %w", relay.id.Short(), err)
	}
	addrs, err := parseAddresses(b)
	if err != nil {
		return nil, err
	}
	return h.punch(ctx, r, addrs)
}

// punch dials a peer that dials this host at the same time; whichever connection stands first is used.
func (h *Host) punch(ctx context.Context, r *remote, addrs []string) (*link, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(r.directUp(), cancel)
	defer stop()
	l, err := h.dialMember(ctx, r, addrs)
	if err == nil {
		return l, nil
	}
	if l := r.direct(); l != nil {
		return l, nil
	}
	return nil, err
}

// serveMeet answers the messages above.
func (h *Host) serveMeet(ctx context.Context, in *Incoming) {
	b, err := in.ReadAll(maxMeet)
	if err != nil || len(b) == 0 {
		in.Fail(CodeMalformed, "empty or oversized message")
		return
	}
	answer, err := h.meet(ctx, in, b[0], b[1:])
	if err != nil {
		code := CodeRefused
		if errors.Is(err, errWire) {
			code = CodeMalformed
		}
		in.Fail(code, err.Error())
		return
	}
	_, _ = in.Write(answer)
}

func (h *Host) meet(ctx context.Context, in *Incoming, op byte, b []byte) ([]byte, error) {
	if op == meetObserve {
		return appendAddresses(nil, []string{in.RemoteAddr().String()}), nil
	}
	if len(b) < 32 {
		return nil, fmt.Errorf("message of %d bytes: %w", len(b), errWire)
	}
	other, err := PeerIDOf(b[:32])
	if err != nil {
		return nil, fmt.Errorf("identity: %w", errWire)
	}
	addrs, err := parseAddresses(b[32:])
	if err != nil {
		return nil, err
	}
	switch op {
	case meetIntroduce:
		return h.introduce(ctx, in, other, addrs)
	case meetExpect:
		return h.expect(in, other, addrs)
	}
	return nil, fmt.Errorf("message of kind %d: %w", op, errWire)
}

// introduce is the relay's part.
func (h *Host) introduce(ctx context.Context, in *Incoming, target PeerID, addrs []string) ([]byte, error) {
	r := h.awaitDirect(ctx, target)
	if r == nil {
		return nil, fmt.Errorf("%s is not connected here", target.Short())
	}
	caller, err := in.From.Public()
	if err != nil {
		return nil, err
	}
	if !in.link.relayed {
		addrs = append([]string{in.RemoteAddr().String()}, addrs...)
	}
	b, err := h.call(ctx, target, KindMeet, appendAddresses(append([]byte{meetExpect}, caller...), addrs))
	if err != nil {
		return nil, err
	}
	theirs, err := parseAddresses(b)
	if err != nil {
		return nil, err
	}
	if l := r.direct(); l != nil {
		theirs = append([]string{l.conn.RemoteAddr().String()}, theirs...)
	}
	return appendAddresses(nil, theirs), nil
}

// awaitDirect is a peer with a direct connection to this host; one that is just about to connect gets a moment.
func (h *Host) awaitDirect(ctx context.Context, id PeerID) *remote {
	tick := time.NewTicker(introduceWait / 10)
	defer tick.Stop()
	for range 10 {
		if r, ok := h.known(id); ok && r.direct() != nil {
			return r
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// expect is the target's part: dial the caller in the background, and say where this host might be.
func (h *Host) expect(in *Incoming, caller PeerID, addrs []string) ([]byte, error) {
	if public, err := caller.Public(); err != nil || caller == h.ID() || h.Credentials().Trust.Evicted(public) {
		return nil, admit.ErrEvicted
	}
	r := h.remote(caller)
	if r.direct() == nil && r.punching.CompareAndSwap(false, true) {
		if !h.enter() {
			return nil, ErrClosed
		}
		go func() {
			defer h.wg.Done()
			defer r.punching.Store(false)
			ctx, cancel := context.WithTimeout(h.ctx, punchTimeout)
			defer cancel()
			if _, err := h.punch(ctx, r, addrs); err != nil {
				h.log.Debug("introduction failed", "peer", caller.Short(), "by", in.From.Short(), "error", err.Error())
			}
		}()
	}
	return appendAddresses(nil, h.reachable()), nil
}

// dialRelayed makes an inner connection through a relay.
func (h *Host) dialRelayed(ctx context.Context, relay *remote, r *remote) (*link, error) {
	addr := h.tunnel.address(route{relay.id, r.id})
	conn, err := h.inner.Dial(ctx, addr, h.clientTLS(r.id, alpnMember), h.relayConfig())
	if err != nil {
		return nil, fmt.Errorf("through relay %s: %w", relay.id.Short(), refusal(err))
	}
	return h.dialed(r, conn, true)
}

// dialed judges a connection that this host has made, and adopts it.
func (h *Host) dialed(r *remote, conn *quic.Conn, relayed bool) (*link, error) {
	_, member, err := h.judge(conn.ConnectionState().TLS)
	if err != nil {
		_ = conn.CloseWithError(quic.ApplicationErrorCode(codeOfJudgement(err)), err.Error())
		return nil, err
	}
	return h.adopt(r, &link{conn: conn, peer: r, member: member, dialed: true, relayed: relayed})
}

func appendAddresses(dst []byte, addrs []string) []byte {
	for _, a := range addrs[:min(len(addrs), maxMeetAddrs)] {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(a)))
		dst = append(dst, a...)
	}
	return dst
}

func parseAddresses(b []byte) ([]string, error) {
	var out []string
	for len(b) > 0 {
		if len(b) < 2 || len(b) < 2+int(binary.BigEndian.Uint16(b)) || len(out) == maxMeetAddrs {
			return nil, fmt.Errorf("addresses: cut off or more than %d: %w", maxMeetAddrs, errWire)
		}
		n := 2 + int(binary.BigEndian.Uint16(b))
		out = append(out, string(b[2:n]))
		b = b[n:]
	}
	return out, nil
}
