package member

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
)

const (
	rumourRecord     = 1
	rumourNews       = 2
	rumourRevocation = 3
	rumourSuccession = 4

	opHash       = 1
	opDigest     = 2
	opPush       = 3
	opFetch      = 4
	opStatements = 5

	// maxRumour is the largest record that travels in a packet; larger ones are announced and fetched.
	maxRumour = 700
	// maxAnswer is the most bytes of records in one answer; the rest follows in the next exchange.
	maxAnswer = transport.MaxMessage / 2
	// fetchers is how many announced records are fetched at once, fetchQueue how many wait; more are left to anti-entropy.
	fetchers   = 2
	fetchQueue = 256
)

// rumour is an announced record and a node that has it.
type rumour struct {
	holder admit.Key
	entry  entry
}

// Set publishes a record of this node. Others see it within a few gossip rounds; the last Set of a key wins.
func (g *Group) Set(key string, value []byte) error {
	if key == "" || len(key) > MaxKey || len(value) > MaxValue {
		return fmt.Errorf("key of %d bytes (1 to %d), value of %d (to %d): %w", len(key), MaxKey, len(value), MaxValue, ErrTooLarge)
	}
	now := time.Now()
	g.mu.Lock()
	// Time makes versions grow across restarts; one more than the last makes them grow within a clock tick.
	g.version = max(g.version+1, uint64(now.UnixNano()))
	r := Record{Node: g.host.ID(), Key: key, Version: g.version, Value: append([]byte(nil), value...), public: g.self}
	g.mu.Unlock()
	copy(r.signature[:], g.host.Sign(recordTag, r.appendSigned(nil)))
	if !g.store.put(r, now) {
		return fmt.Errorf("record %q: more than %d keys: %w", key, MaxKeys, ErrTooLarge)
	}
	g.announce(&r)
	g.events.Put(Event{Kind: RecordChanged, Node: r.Node, Key: key})
	return nil
}

// Get is one record; false when there is none.
func (g *Group) Get(node transport.PeerID, key string) (Record, bool) {
	public, err := node.Public()
	if err != nil {
		return Record{}, false
	}
	return g.store.get(admit.KeyOf(public), key)
}

// Records lists the records of all nodes under a key, or all records when key is "".
func (g *Group) Records(key string) []Record { return g.store.all(key) }

// broadcast is a rumour in memberlist's queue; a newer one about the same record replaces it.
type broadcast struct {
	about string
	b     []byte
}

func (b broadcast) Invalidates(other memberlist.Broadcast) bool {
	o, ok := other.(broadcast)
	return ok && o.about == b.about
}
func (b broadcast) Name() string    { return b.about }
func (b broadcast) Message() []byte { return b.b }
func (b broadcast) Finished()       {}

// announce starts or passes on the rumour of a record that this node holds.
func (g *Group) announce(r *Record) {
	var b []byte
	if recordFixed+len(r.Key)+len(r.Value) <= maxRumour {
		b = r.append([]byte{rumourRecord})
	} else {
		b = append([]byte{rumourNews}, g.self[:]...)
		b = entry{r.public, r.Version, r.Key}.append(b)
	}
	g.queue.QueueBroadcast(broadcast{string(r.public[:]) + r.Key, b})
}

// hear takes a rumour from a packet. Malformed ones come from a member with a bug; they are dropped.
func (g *Group) hear(b []byte) {
	if len(b) == 0 {
		return
	}
	switch b[0] {
	case rumourRecord:
		r, rest, err := parseRecord(b[1:])
		if err == nil && len(rest) == 0 {
			g.accept(r)
		}
	case rumourNews:
		if len(b) < 33 {
			return
		}
		e, rest, err := parseEntry(b[33:])
		if err != nil || len(rest) != 0 || !g.store.newer(e, time.Now()) {
			return
		}
		select {
		case g.fetch <- rumour{admit.Key(b[1:33]), e}:
		default:
		}
	case rumourRevocation:
		if r, err := admit.ParseRevocation(b[1:]); err == nil {
			g.believe(r)
		}
	case rumourSuccession:
		if line, err := admit.ParseSuccessions(b[1:]); err == nil {
			for _, s := range line {
				g.succeed(s)
			}
		}
	}
}

// accept keeps a record if it is genuine and newer, and passes it on.
func (g *Group) accept(r Record) {
	now := time.Now()
	if !g.store.newer(entry{r.public, r.Version, r.Key}, now) || !r.genuine() {
		return
	}
	if c := g.host.Credentials(); c != nil && c.Trust.Evicted(r.public[:]) {
		return
	}
	if g.store.put(r, now) {
		g.announce(&r)
		g.noteStatus(r)
		g.events.Put(Event{Kind: RecordChanged, Node: r.Node, Key: r.Key})
	}
}

// fetchLoop fetches announced records until the Group closes.
func (g *Group) fetchLoop() {
	defer g.wg.Done()
	for {
		select {
		case <-g.ctx.Done():
			return
		case m := <-g.fetch:
			if !g.store.newer(m.entry, time.Now()) {
				continue
			}
			id, err := transport.PeerIDOf(m.holder[:])
			if err != nil || id == g.host.ID() {
				continue
			}
			ctx, cancel := context.WithTimeout(g.ctx, g.cfg.Timing.Stream)
			err = g.fetchFrom(ctx, id, []entry{m.entry})
			cancel()
			if err != nil {
				g.log.Debug("record not fetched", "peer", id.Short(), "error", err.Error())
			}
		}
	}
}

func (g *Group) fetchFrom(ctx context.Context, id transport.PeerID, entries []entry) error {
	req := []byte{opFetch}
	for _, e := range entries {
		req = e.append(req)
	}
	answer, err := g.host.Call(ctx, id, transport.KindRecords, req)
	if err != nil {
		return err
	}
	records, _, err := parseRecords(answer)
	if err != nil {
		return err
	}
	for _, r := range records {
		g.accept(r)
	}
	return nil
}

// Bits of the answer to opHash.
const (
	differRecords = 1
	differMembers = 2
)

// exchange makes this node and another hold the same records, statements and list of nodes: two hashes when they already do,
// else the differences both ways. It reports whether there were any.
func (g *Group) exchange(ctx context.Context, id transport.PeerID) (bool, error) {
	statements := g.statements()
	entries, sum := g.store.digest(statements)
	members := g.membersHash()
	answer, err := g.host.Call(ctx, id, transport.KindRecords, append(append([]byte{opHash}, sum[:]...), members[:]...))
	if err != nil {
		return false, fmt.Errorf("exchange records: %w", err)
	}
	if len(answer) != 1 {
		return false, fmt.Errorf("exchange records: answer of %d bytes: %w", len(answer), errWire)
	}
	if answer[0]&differMembers != 0 {
		if _, err := g.list.Join([]string{joinName(id)}); err != nil {
			return true, fmt.Errorf("exchange lists of nodes: %w", err)
		}
	}
	if answer[0]&differRecords != 0 {
		return true, g.exchangeRecords(ctx, id, entries, statements)
	}
	return answer[0] != 0, nil
}

// exchangeRecords sends what differs, both ways.
func (g *Group) exchangeRecords(ctx context.Context, id transport.PeerID, entries []entry, statements []byte) error {
	answer, err := g.host.Call(ctx, id, transport.KindRecords, append([]byte{opStatements}, statements...))
	if err != nil {
		return fmt.Errorf("exchange statements: %w", err)
	}
	if err := g.believeAll(answer); err != nil {
		return fmt.Errorf("exchange statements: %w", err)
	}
	req := []byte{opDigest}
	for _, e := range entries {
		req = e.append(req)
	}
	answer, err = g.host.Call(ctx, id, transport.KindRecords, req)
	if err != nil {
		return fmt.Errorf("exchange records: %w", err)
	}
	records, rest, err := parseRecords(answer)
	if err != nil {
		return fmt.Errorf("exchange records: %w", err)
	}
	wanted, err := parseEntries(rest)
	if err != nil {
		return fmt.Errorf("exchange records: %w", err)
	}
	for _, r := range records {
		g.accept(r)
	}
	if len(wanted) == 0 {
		return nil
	}
	push := appendRecords([]byte{opPush}, g.held(wanted), maxAnswer)
	if _, err := g.host.Call(ctx, id, transport.KindRecords, push); err != nil {
		return fmt.Errorf("exchange records: %w", err)
	}
	return nil
}

// held are the records of the store that entries name.
func (g *Group) held(entries []entry) []Record {
	var out []Record
	for _, e := range entries {
		if r, ok := g.store.get(e.node, e.key); ok {
			out = append(out, r)
		}
	}
	return out
}

// serveRecords is the other side of exchange and fetchFrom.
func (g *Group) serveRecords(_ context.Context, in *transport.Incoming) {
	req, err := in.ReadAll(transport.MaxMessage)
	if err != nil || len(req) == 0 {
		in.Fail(transport.CodeMalformed, "empty or oversized request")
		return
	}
	answer, err := g.answer(req[0], req[1:])
	if err != nil {
		in.Fail(transport.CodeMalformed, err.Error())
		return
	}
	_, _ = in.Write(answer)
}

func (g *Group) answer(op byte, b []byte) ([]byte, error) {
	switch op {
	case opHash:
		if len(b) != 64 {
			return nil, fmt.Errorf("hashes of %d bytes, want 64: %w", len(b), errWire)
		}
		var differ byte
		if _, sum := g.store.digest(g.statements()); [32]byte(b) != sum {
			differ |= differRecords
		}
		if g.membersHash() != [32]byte(b[32:]) {
			differ |= differMembers
		}
		return []byte{differ}, nil
	case opDigest:
		entries, err := parseEntries(b)
		if err != nil {
			return nil, err
		}
		ours, wanted := g.store.compare(entries, time.Now())
		out := appendRecords(nil, ours, maxAnswer)
		for _, e := range wanted {
			if len(out) > transport.MaxMessage-MaxKey-64 {
				break
			}
			out = e.append(out)
		}
		return out, nil
	case opPush:
		records, rest, err := parseRecords(b)
		if err != nil {
			return nil, err
		}
		if len(rest) != 0 {
			return nil, fmt.Errorf("%d bytes after the records: %w", len(rest), errWire)
		}
		for _, r := range records {
			g.accept(r)
		}
		return nil, nil
	case opFetch:
		entries, err := parseEntries(b)
		if err != nil {
			return nil, err
		}
		return appendRecords(nil, g.held(entries), maxAnswer), nil
	case opStatements:
		if err := g.believeAll(b); err != nil {
			return nil, err
		}
		return g.statements(), nil
	}
	return nil, fmt.Errorf("request of kind %d: %w", op, errWire)
}
