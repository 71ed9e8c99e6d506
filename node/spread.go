package node

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/cleave-mesh/cleave/node/member"
	"github.com/cleave-mesh/cleave/node/store"
	"github.com/cleave-mesh/cleave/transport"
)

const (
	// fetchStall is how long a peer may send nothing before the next holder is asked.
	fetchStall = 5 * time.Second
	// maxNames is the most bytes of a list of names from a peer.
	maxNames = 1 << 20
	// maxWanted is the most bytes of a request for a model or a profile.
	maxWanted = 64 << 10
)

// fetchTable lets one fetch of a model serve everybody who waits for it. It is safe for concurrent use.
type fetchTable struct {
	mu      sync.Mutex
	pending map[store.Digest]*fetch // guarded by mu
}

type fetch struct {
	done chan struct{} // closed when the fetch has ended
	err  error         // constant after done
}

func newFetchTable() *fetchTable { return &fetchTable{pending: map[store.Digest]*fetch{}} }

// fetch makes sure that a model is stored here, from whichever member holds it.
func (n *Node) fetch(ctx context.Context, d store.Digest) error {
	if n.folder.HasModel(d) {
		return nil
	}
	n.fetches.mu.Lock()
	f, ok := n.fetches.pending[d]
	if !ok {
		f = &fetch{done: make(chan struct{})}
		n.fetches.pending[d] = f
		n.beside(func(ctx context.Context) {
			f.err = n.fetchNow(ctx, d)
			n.fetches.mu.Lock()
			delete(n.fetches.pending, d)
			n.fetches.mu.Unlock()
			close(f.done)
		})
	}
	n.fetches.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	case <-n.ctx.Done():
		return errStopped
	}
}

func (n *Node) fetchNow(ctx context.Context, d store.Digest) error {
	holders := n.peers.holders(d)
	if len(holders) == 0 {
		return fmt.Errorf("model %s: no member of the mesh that answers holds it: %w", d.Short(), store.ErrNotFound)
	}
	var errs []error
	for _, id := range holders {
		err := n.fetchFrom(ctx, d, id)
		if err == nil {
			n.log.Info("model fetched", "model", d.Short(), "from", n.nodeName(id))
			n.peers.publishModels()
			return nil
		}
		errs = append(errs, fmt.Errorf("from %s: %w", n.nodeName(id), err))
		if errors.Is(err, store.ErrNoSpace) {
			break
		}
	}
	return fmt.Errorf("fetch model %s: %w", d.Short(), errors.Join(errs...))
}

// holders are the members that say they hold a model.
func (d *directory) holders(m store.Digest) []transport.PeerID {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []transport.PeerID
	for id, p := range d.peers {
		if id != d.n.mesh.ID() && p.State == member.Alive && contains(p.models.Holds, m) {
			out = append(out, id)
		}
	}
	return out
}

// A model travels as: size u64, then the bytes from the offset that was asked for. The request is digest (64 hex digits) and
// offset u64; integers are big-endian.
const modelRequest = 64 + 8

// fetchFrom goes on with a model where the last attempt stopped.
func (n *Node) fetchFrom(ctx context.Context, d store.Digest, id transport.PeerID) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stall := time.AfterFunc(fetchStall, cancel)
	defer stall.Stop()
	s, err := n.mesh.Open(ctx, id, kindModel)
	if err != nil {
		return err
	}
	defer s.Close()
	offset := n.folder.Partial(d)
	if _, err := s.Write(binary.BigEndian.AppendUint64([]byte(d), uint64(offset))); err != nil {
		return err
	}
	if err := s.CloseWrite(); err != nil {
		return err
	}
	r := readerFunc(func(p []byte) (int, error) {
		k, err := s.Read(p)
		stall.Reset(fetchStall)
		return k, err
	})
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint64(head[:])
	if size > store.MaxModel {
		return fmt.Errorf("model of %d bytes, limit %d", size, int64(store.MaxModel))
	}
	if uint64(offset) > size {
		offset = 0
	}
	return n.folder.AppendPartial(d, offset, int64(size), r)
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// handleModel sends a stored model from an offset.
func (n *Node) handleModel(ctx context.Context, in *transport.Incoming) {
	b, err := in.ReadAll(modelRequest)
	if err != nil || len(b) != modelRequest {
		in.Fail(transport.CodeMalformed, "want a digest and an offset")
		return
	}
	d, err := store.ParseDigest(string(b[:64]))
	if err != nil {
		in.Fail(transport.CodeMalformed, err.Error())
		return
	}
	file, size, err := n.folder.OpenModel(d)
	if err != nil {
		in.Fail(transport.CodeRefused, err.Error())
		return
	}
	defer file.Close()
	offset := binary.BigEndian.Uint64(b[64:])
	if offset > uint64(size) {
		offset = 0
	}
	if _, err := in.Write(binary.BigEndian.AppendUint64(nil, uint64(size))); err != nil {
		return
	}
	if _, err := io.Copy(in, io.NewSectionReader(file, int64(offset), size-int64(offset))); err != nil {
		in.Fail(transport.CodeInternal, err.Error())
	}
}

// push stores a model under a name and tells the members.
func (n *Node) push(ctx context.Context, name, image string, r io.Reader) (store.Name, error) {
	if err := store.CheckName(name); err != nil {
		return store.Name{}, err
	}
	d, size, err := n.folder.AddModel(r)
	if err != nil {
		return store.Name{}, err
	}
	if err := n.check(ctx, d); err != nil {
		if _, known := n.names.Lookup(string(d)); known != nil { // nothing else needs the file
			err = errors.Join(err, n.folder.RemoveModel(d))
		}
		return store.Name{}, fmt.Errorf("%w: %w", errBadModel, err)
	}
	entry := store.Name{Name: name, Digest: d, Size: size, Changed: time.Now().UnixNano(), Image: image}
	if _, err := n.names.Merge(entry); err != nil {
		return store.Name{}, err
	}
	n.peers.publishModels()
	n.peers.refresh()
	n.wantProfile(d, nil)
	return entry, nil
}

// check says why this node cannot use a stored model, or nil. A model whose input sizes are open is checked when they are known.
func (n *Node) check(ctx context.Context, d store.Digest) error {
	g, err := n.graphs.declared(d)
	if err != nil {
		return err
	}
	if _, err := bind(g, nil); err != nil {
		return nil
	}
	c, err := n.graphs.get(ctx, d, nil)
	if err != nil {
		return err
	}
	if err := n.host.Check(ctx, c.graph); err != nil {
		return fmt.Errorf("%w: push it to a node with an engine that can run it", err)
	}
	return nil
}

// errBadModel is wrapped when a pushed file is no model that this node can read.
var errBadModel = errors.New("not a usable ONNX model")

// tellNames tells every member at once of names that have changed; gossip reaches those that miss it.
func (n *Node) tellNames(list ...store.Name) {
	b, err := json.Marshal(list)
	if err != nil {
		return
	}
	for _, id := range n.peers.usable() {
		if id == n.mesh.ID() {
			continue
		}
		n.beside(func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, tellTimeout)
			defer cancel()
			if _, err := n.mesh.Call(ctx, id, kindNames, b); err != nil {
				n.log.Debug("names not told", "to", n.nodeName(id), "err", err)
			}
		})
	}
}

// handleNames takes over names that a member has just changed.
func (n *Node) handleNames(ctx context.Context, in *transport.Incoming) {
	b, err := in.ReadAll(maxNames)
	if err != nil {
		in.Fail(transport.CodeTooLarge, err.Error())
		return
	}
	var list []store.Name
	if err := json.Unmarshal(b, &list); err != nil {
		in.Fail(transport.CodeMalformed, err.Error())
		return
	}
	n.peers.holds(in.From, list)
	n.takeNames(list)
}

// holds notes that a member holds models before its record says so.
func (d *directory) holds(id transport.PeerID, list []store.Name) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok := d.peers[id]
	if !ok {
		return
	}
	for _, name := range list {
		if !name.Deleted && !contains(p.models.Holds, name.Digest) {
			p.models.Holds = append(p.models.Holds, name.Digest)
		}
	}
}

// followNames takes over what the members' records say of names.
func (n *Node) followNames(context.Context) {
	var list []store.Name
	n.peers.mu.Lock()
	for _, p := range n.peers.peers {
		list = append(list, p.models.Names...)
	}
	n.peers.mu.Unlock()
	n.takeNames(list)
}

// takeNames merges names, fetches and profiles new models, and drops those that were removed.
func (n *Node) takeNames(list []store.Name) {
	before := n.names.List()
	if changed, err := n.names.Merge(list...); err != nil {
		n.log.Error("model names not stored", "err", err)
		return
	} else if changed {
		n.peers.publishModels()
	}
	after := n.names.List()
	n.followCalibrations(before, after)
	kept := map[store.Digest]bool{}
	for _, name := range after {
		if name.Deleted {
			continue
		}
		kept[name.Digest] = true
		if n.folder.HasModel(name.Digest) {
			continue
		}
		n.beside(func(ctx context.Context) {
			if err := n.fetch(ctx, name.Digest); err != nil {
				n.log.Warn("model not fetched", "model", name.Name, "err", err)
				return
			}
			n.wantProfile(name.Digest, nil)
		})
	}
	for _, name := range before {
		if !name.Deleted && !kept[name.Digest] {
			n.dropModel(name.Digest)
		}
	}
}

// remove takes a name away everywhere.
func (n *Node) remove(name string) error {
	old, err := n.names.Lookup(name)
	if err != nil {
		return err
	}
	old.Deleted, old.Changed = true, max(time.Now().UnixNano(), old.Changed+1)
	n.takeNames([]store.Name{old})
	n.tellNames(old)
	return nil
}

// dropModel forgets a model that has no name any more.
func (n *Node) dropModel(d store.Digest) {
	if err := n.folder.RemoveModel(d); err != nil {
		n.log.Warn("model file not removed", "model", d.Short(), "err", err)
	}
	n.graphs.forget(d)
	n.profiles.forget(d)
	n.plans.drop(d)
	n.peers.publishModels()
}

// wantedProfile asks a node to profile a model for given shapes.
type wantedProfile struct {
	Model  store.Digest     `json:"model"`
	Shapes map[string][]int `json:"shapes,omitempty"`
}

// handleProfile profiles a model for a peer that needs it for other shapes than the declared ones.
func (n *Node) handleProfile(ctx context.Context, in *transport.Incoming) {
	b, err := in.ReadAll(maxWanted)
	if err != nil {
		in.Fail(transport.CodeTooLarge, err.Error())
		return
	}
	var w wantedProfile
	if err := json.Unmarshal(b, &w); err != nil {
		in.Fail(transport.CodeMalformed, err.Error())
		return
	}
	if _, err := store.ParseDigest(string(w.Model)); err != nil {
		in.Fail(transport.CodeMalformed, err.Error())
		return
	}
	if err := n.fetch(ctx, w.Model); err != nil {
		in.Fail(transport.CodeRefused, err.Error())
		return
	}
	if err := n.ensureProfile(ctx, w.Model, w.Shapes); err != nil {
		in.Fail(transport.CodeInternal, err.Error())
	}
}
