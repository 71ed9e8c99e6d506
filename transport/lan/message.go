package lan

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// service is the DNS-SD name of the mesh's port.
	service = "_cleave._udp.local."
	// maxMessage is the most bytes of a message, the limit of mDNS on Ethernet.
	maxMessage = 1400
	// maxRecords is the most records of a message that are looked at, maxAddrs the most addresses of one announcement.
	maxRecords = 64
	maxAddrs   = 8
	// recordTTL is the seconds that an announcement is good for.
	recordTTL = 120
)

// errWire is wrapped by every error about malformed messages.
var errWire = errors.New("malformed announcement")

// Announcement is what a node tells the LAN: its identity, its mesh, and where it listens.
type Announcement struct {
	Peer  string   // a transport.PeerID
	Mesh  string   // the mesh's short name, so that meshes on one LAN do not disturb each other
	Addrs []string // "ip:port"
}

// question asks who is there.
func question() ([]byte, error) {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{})
	if err := b.StartQuestions(); err != nil {
		return nil, err
	}
	name, err := dnsmessage.NewName(service)
	if err != nil {
		return nil, err
	}
	if err := b.Question(dnsmessage.Question{Name: name, Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET}); err != nil {
		return nil, err
	}
	return b.Finish()
}

// answer is the announcement as DNS-SD: a pointer to the instance, and its text.
func (a Announcement) answer() ([]byte, error) {
	label := a.Peer[max(0, len(a.Peer)-32):]
	name, err := dnsmessage.NewName(service)
	if err != nil {
		return nil, err
	}
	instance, err := dnsmessage.NewName(label + "." + service)
	if err != nil {
		return nil, fmt.Errorf("announce: identity %q: %w", a.Peer, err)
	}
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{Response: true, Authoritative: true})
	if err := b.StartAnswers(); err != nil {
		return nil, err
	}
	h := dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: recordTTL}
	if err := b.PTRResource(h, dnsmessage.PTRResource{PTR: instance}); err != nil {
		return nil, err
	}
	h.Name = instance
	text := []string{"v=1", "id=" + a.Peer, "mesh=" + a.Mesh}
	for _, addr := range a.Addrs[:min(len(a.Addrs), maxAddrs)] {
		text = append(text, "addr="+addr)
	}
	if err := b.TXTResource(h, dnsmessage.TXTResource{TXT: text}); err != nil {
		return nil, err
	}
	out, err := b.Finish()
	if err == nil && len(out) > maxMessage {
		err = fmt.Errorf("announce: message of %d bytes, limit %d", len(out), maxMessage)
	}
	return out, err
}

// parse reads a message: whether it asks for the service, and the announcements that it carries. Messages of other services
// give neither.
func parse(b []byte) (asks bool, found []Announcement, err error) {
	if len(b) > maxMessage {
		return false, nil, fmt.Errorf("message of %d bytes, limit %d: %w", len(b), maxMessage, errWire)
	}
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil {
		return false, nil, fmt.Errorf("%w: %w", errWire, err)
	}
	for n := 0; ; n++ {
		q, err := p.Question()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			break
		}
		if err != nil || n == maxRecords {
			return false, nil, fmt.Errorf("%w: questions", errWire)
		}
		asks = asks || !h.Response && strings.EqualFold(q.Name.String(), service)
	}
	for n := 0; ; n++ {
		rh, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return asks, found, nil
		}
		if err != nil || n == maxRecords {
			return false, nil, fmt.Errorf("%w: answers", errWire)
		}
		if rh.Type != dnsmessage.TypeTXT || !strings.HasSuffix(strings.ToLower(rh.Name.String()), "."+service) {
			if err := p.SkipAnswer(); err != nil {
				return false, nil, fmt.Errorf("%w: answers", errWire)
			}
			continue
		}
		r, err := p.TXTResource()
		if err != nil {
			return false, nil, fmt.Errorf("%w: text", errWire)
		}
		if a, ok := parseText(r.TXT); ok {
			found = append(found, a)
		}
	}
}

// parseText reads an announcement's text; false when it lacks something or holds what is no address.
func parseText(text []string) (Announcement, bool) {
	var a Announcement
	good := false
	for _, t := range text {
		key, value, _ := strings.Cut(t, "=")
		switch key {
		case "v":
			good = value == "1"
		case "id":
			a.Peer = value
		case "mesh":
			a.Mesh = value
		case "addr":
			ap, err := netip.ParseAddrPort(value)
			if err != nil || len(a.Addrs) == maxAddrs {
				return Announcement{}, false
			}
			a.Addrs = append(a.Addrs, ap.String())
		}
	}
	return a, good && a.Peer != "" && a.Mesh != "" && len(a.Addrs) > 0
}
