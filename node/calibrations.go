package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/codec/calibrate"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/placement"
	"github.com/cleave-mesh/cleave/node/store"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/transport"
)

// maxCalibrations is how many calibration files a node keeps in memory before it forgets them all.
const maxCalibrations = 64

// calibration is a calibration file that has been read.
type calibration struct {
	digest store.Digest
	file   *calibrate.File
	coder  *codec.Coder // knows the file's tables
}

// calibrations keeps calibration files that were read. It is safe for concurrent use.
type calibrations struct {
	mu       sync.Mutex
	byDigest map[store.Digest]*calibration // guarded by mu
}

func newCalibrations() *calibrations {
	return &calibrations{byDigest: map[store.Digest]*calibration{}}
}

func (c *calibrations) get(d store.Digest) *calibration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byDigest[d]
}

// read parses a file and keeps it as that of digest d.
func (c *calibrations) read(d store.Digest, b []byte) (*calibration, error) {
	f, err := calibrate.Parse(b)
	if err != nil {
		return nil, err
	}
	coder, err := f.Coder()
	if err != nil {
		return nil, err
	}
	k := &calibration{digest: d, file: f, coder: coder}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.byDigest) >= maxCalibrations {
		clear(c.byDigest)
	}
	c.byDigest[d] = k
	return k, nil
}

func (c *calibrations) forget(d store.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byDigest, d)
}

// calibrationOf is the calibration file d of a model, from this node or from a member that holds the model.
func (n *Node) calibrationOf(ctx context.Context, model, d store.Digest) (*calibration, error) {
	if c := n.calibrations.get(d); c != nil {
		return c, nil
	}
	b, err := n.folder.ReadCalibration(d)
	if err != nil {
		if b, err = n.fetchCalibration(ctx, model, d); err != nil {
			return nil, err
		}
	}
	c, err := n.calibrations.read(d, b)
	if err != nil {
		return nil, fmt.Errorf("calibration %s of model %s: %w", d.Short(), model.Short(), err)
	}
	return c, nil
}

// fetchCalibration gets a calibration file from the members that hold the model, one after the other, and stores it.
func (n *Node) fetchCalibration(ctx context.Context, model, d store.Digest) ([]byte, error) {
	errs := []error{store.ErrNotFound}
	for _, id := range n.peers.holders(model) {
		b, err := n.calibrationFrom(ctx, id, d)
		if err == nil {
			var got store.Digest
			if got, err = n.folder.AddCalibration(b); err == nil && got != d {
				err = errors.Join(store.ErrCorrupt, n.folder.RemoveCalibration(got))
			}
		}
		if err == nil {
			n.log.Info("calibration fetched", "calibration", d.Short(), "model", model.Short(), "from", n.nodeName(id))
			return b, nil
		}
		errs = append(errs, fmt.Errorf("from %s: %w", n.nodeName(id), err))
	}
	return nil, fmt.Errorf("calibration %s of model %s: %w", d.Short(), model.Short(), errors.Join(errs...))
}

// calibrationFrom asks one member for a calibration file. The request is its digest (64 hex digits), the answer its content.
func (n *Node) calibrationFrom(ctx context.Context, id transport.PeerID, d store.Digest) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stall := time.AfterFunc(fetchStall, cancel)
	defer stall.Stop()
	s, err := n.mesh.Open(ctx, id, kindCalibration)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if _, err := s.Write([]byte(d)); err != nil {
		return nil, err
	}
	if err := s.CloseWrite(); err != nil {
		return nil, err
	}
	r := readerFunc(func(p []byte) (int, error) {
		k, err := s.Read(p)
		stall.Reset(fetchStall)
		return k, err
	})
	b, err := io.ReadAll(io.LimitReader(r, store.MaxCalibration+1))
	if err == nil && len(b) > store.MaxCalibration {
		err = fmt.Errorf("more than %d bytes", store.MaxCalibration)
	}
	return b, err
}

// handleCalibration sends a stored calibration file.
func (n *Node) handleCalibration(ctx context.Context, in *transport.Incoming) {
	b, err := in.ReadAll(64)
	if err != nil {
		in.Fail(transport.CodeMalformed, "want a digest")
		return
	}
	d, err := store.ParseDigest(string(b))
	if err != nil {
		in.Fail(transport.CodeMalformed, err.Error())
		return
	}
	if b, err = n.folder.ReadCalibration(d); err != nil {
		in.Fail(transport.CodeRefused, err.Error())
		return
	}
	if _, err := io.Copy(in, bytes.NewReader(b)); err != nil {
		in.Fail(transport.CodeInternal, err.Error())
	}
}

// calibrateModel takes the calibration file of a model that the mesh has, once it is seen to be one of this very model.
func (n *Node) calibrateModel(ctx context.Context, model string, b []byte) (store.Name, error) {
	entry, err := n.names.Lookup(model)
	if err != nil {
		return store.Name{}, err
	}
	if err := n.fetch(ctx, entry.Digest); err != nil {
		return store.Name{}, err
	}
	f, err := calibrate.Parse(b)
	if err != nil {
		return store.Name{}, err
	}
	if err := n.calibrates(ctx, f, entry.Digest); err != nil {
		return store.Name{}, err
	}
	if entry.Calibration, err = n.folder.AddCalibration(b); err != nil {
		return store.Name{}, err
	}
	entry.Changed = max(time.Now().UnixNano(), entry.Changed+1)
	n.takeNames([]store.Name{entry})
	return entry, nil
}

// calibrates is nil when f was measured on this model, at the shapes that it names.
func (n *Node) calibrates(ctx context.Context, f *calibrate.File, model store.Digest) error {
	c, err := n.graphs.get(ctx, model, f.Shapes)
	if err != nil {
		return fmt.Errorf("%w: %w", calibrate.ErrForeign, err)
	}
	return f.Fits(c.digest)
}

// calibrationFor is the calibration of a model where there is one that was measured on this graph; nil means that codecs
// are known from made-up inputs alone. A file that cannot be had is reported, and does not keep the model from being planned.
func (n *Node) calibrationFor(ctx context.Context, name store.Name, c *canonical) *calibration {
	if name.Calibration == "" {
		return nil
	}
	k, err := n.calibrationOf(ctx, name.Digest, name.Calibration)
	if err != nil {
		n.log.Warn("planning without calibration", "model", name.Name, "err", err)
		return nil
	}
	if k.file.Fits(c.digest) != nil { // measured at other shapes
		return nil
	}
	return k
}

// frameCoder knows the tables that a frame's codecs need. It fetches the calibration file where it has to; a file that was
// measured on another graph is refused.
func (n *Node) frameCoder(ctx context.Context, model store.Digest, fr *placement.Frame) (*codec.Coder, error) {
	d, err := store.ParseDigest(fr.Calibration)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", placement.ErrFrame, err)
	}
	k, err := n.calibrationOf(ctx, model, d)
	if err != nil {
		return nil, err
	}
	if err := k.file.Fits(fr.Graph); err != nil {
		return nil, fmt.Errorf("%w: %w", placement.ErrFrame, err)
	}
	return k.coder, nil
}

// document is what the file says of a codec on a value; nil when it says nothing or k is nil.
func (k *calibration) document(value, spec string) *client.Calibrated {
	if k == nil {
		return nil
	}
	v := k.file.Value(value)
	if v == nil {
		return nil
	}
	p := v.Point(spec)
	if p == nil {
		return nil
	}
	return &client.Calibrated{
		Bits: p.Bits, Error: p.Error, OutputError: p.Effect.Error, Agreement: p.Effect.Agreement, Answers: p.Effect.Answers,
		Flips: p.Effect.Flips, Judged: k.file.Judged,
	}
}

// effects says, for each transfer of the plan whose value is calibrated, what it costs and what it does to the answer.
func (lp *livePlan) effects() string {
	if lp.known == nil {
		return ""
	}
	var b strings.Builder
	for _, t := range lp.plan.Transfers {
		v := &lp.frame.c.graph.Values[lp.frame.frame.Values[t.Value]]
		spec := lp.problem.Values[t.Value].Codings[t.Coding].Codec
		if text := placement.Effect(lp.known.file, v, spec); text != "" {
			fmt.Fprintf(&b, "calibrated: %s as %s: %s\n", planner.Short(v.Name), spec, text)
		}
	}
	return b.String()
}

// followCalibrations fetches calibration files that names have got, and drops those that no name has any more.
func (n *Node) followCalibrations(before, after []store.Name) {
	old := map[store.Digest]bool{}
	for _, name := range before {
		if !name.Deleted {
			old[name.Calibration] = true
		}
	}
	kept := map[store.Digest]bool{"": true}
	for _, name := range after {
		if name.Deleted {
			continue
		}
		kept[name.Calibration] = true
		if name.Calibration == "" || old[name.Calibration] {
			continue
		}
		n.plans.drop(name.Digest)
		n.beside(func(ctx context.Context) {
			if _, err := n.calibrationOf(ctx, name.Digest, name.Calibration); err != nil {
				n.log.Warn("calibration not fetched", "model", name.Name, "err", err)
			}
		})
	}
	for d := range old {
		if kept[d] {
			continue
		}
		n.calibrations.forget(d)
		if err := n.folder.RemoveCalibration(d); err != nil {
			n.log.Warn("calibration file not removed", "calibration", d.Short(), "err", err)
		}
	}
}
