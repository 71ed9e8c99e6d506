package node

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/host"
	"github.com/cleave-mesh/cleave/node/session"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/transport"
)

// maxEnvelope is the most bytes of a session message.
const maxEnvelope = 1 << 20

// frameSlack is what a codec may add to a tensor's own bytes in the worst case: header, chunk prefixes, incompressible data.
const frameSlack = 1 << 16

// sendEnvelope delivers a session message. When the peer does not know the frame (it was restarted since), the frame is
// installed there first.
func (n *Node) sendEnvelope(ctx context.Context, f *frameHere, to planner.NodeID, env envelope, m session.Message) (err error) {
	if to < 0 || int(to) >= len(f.frame.Nodes) {
		return fmt.Errorf("%w: to node %d", errEnvelope, to)
	}
	if env.Type, env.Message, err = encodeMessage(m); err != nil {
		return err
	}
	b, err := json.Marshal(env)
	if err != nil {
		return fmt.Errorf("encode session message: %w", err)
	}
	peer := f.frame.Nodes[to]
	if _, err = n.mesh.Call(ctx, peer, kindSession, b); !errors.Is(err, transport.ErrRefused) {
		return err
	}
	if err := n.installAt(ctx, f, peer, nil, true); err != nil {
		return err
	}
	_, err = n.mesh.Call(ctx, peer, kindSession, b)
	return err
}

// handleSession takes in a message of another node.
func (n *Node) handleSession(ctx context.Context, in *transport.Incoming) {
	b, err := in.ReadAll(maxEnvelope)
	if err != nil {
		in.Fail(transport.CodeTooLarge, err.Error())
		return
	}
	var env envelope
	if err := json.Unmarshal(b, &env); err != nil {
		in.Fail(transport.CodeMalformed, err.Error())
		return
	}
	m, err := env.decode()
	if err != nil {
		in.Fail(transport.CodeMalformed, err.Error())
		return
	}
	f := n.frames.byID(env.Frame)
	if f == nil {
		if _, end := m.(*session.End); !end {
			in.Fail(transport.CodeRefused, "the plan is not installed here")
		}
		return
	}
	from := f.frame.Node(in.From)
	if from < 0 {
		in.Fail(transport.CodeMalformed, "the sender has no part in the plan")
		return
	}
	l := letter{event: session.Told{From: from, Message: m}, stages: env.Stages, transfers: env.Transfers}
	switch m := m.(type) {
	case *session.Adopt:
		if m.Assignment.Epoch <= n.flights.endedAt(env.Request) {
			return
		}
		n.flights.deliver(n, env.Request, f, l)
	default:
		n.flights.deliverKnown(env.Request, l)
	}
}

// sendValue encodes t as the plan says and streams it to another node.
func (n *Node) sendValue(ctx context.Context, id requestID, f *frameHere, e session.Send, t *tensor.Tensor) error {
	text, err := f.frame.Codec(e.Handle.Value, e.Coding)
	if err != nil {
		return err
	}
	if e.To < 0 || int(e.To) >= len(f.frame.Nodes) || t == nil {
		return fmt.Errorf("%w: value %d to node %d", errEnvelope, e.Handle.Value, e.To)
	}
	spec, err := codec.Parse(text)
	if err != nil {
		return err
	}
	hd := transport.Header{
		Request: id, Plan: f.id.Wire(), Epoch: uint64(e.Epoch), Value: uint32(e.Handle.Value), Codec: uint16(spec.ID),
		Stage: uint32(e.Coding), Remaining: e.Remaining,
	}
	body := func(w io.Writer) error { return f.coder.NewEncoder(w, spec).Encode(t) }
	if n.host.Speed() != 1 { // a slow machine is done with encoding before anything leaves
		begin := time.Now()
		frame, err := f.coder.Append(nil, t, spec)
		if err != nil {
			return err
		}
		if err := n.host.Coded(ctx, host.CodecWork{Codec: text, Bytes: len(t.Bytes())}, time.Since(begin)); err != nil {
			return err
		}
		hd.Size = uint64(len(frame))
		hd.Extra = binary.BigEndian.AppendUint64(nil, uint64(time.Since(begin)))
		body = func(w io.Writer) error { _, err := w.Write(frame); return err }
	}
	var count counter
	var making time.Duration
	begin := time.Now()
	err = n.mesh.Send(ctx, f.frame.Nodes[e.To], hd, func(w io.Writer) error {
		count.w = w
		begin := time.Now()
		err := body(&count)
		making = time.Since(begin) - count.waited
		return err
	})
	n.metrics.sent(n.nodeName(f.frame.Nodes[e.To]), count.n, err)
	if err == nil {
		n.judgePath(f.frame.Nodes[e.To], count.n, time.Since(begin)-making)
	}
	return err
}

// counter counts what is written, and the time until it was taken.
type counter struct {
	w      io.Writer
	n      int64
	waited time.Duration
}

func (c *counter) Write(p []byte) (int, error) {
	begin := time.Now()
	n, err := c.w.Write(p)
	c.waited += time.Since(begin)
	c.n += int64(n)
	return n, err
}

// handleTensor receives a boundary value and hands it to its request.
func (n *Node) handleTensor(ctx context.Context, in *transport.Incoming) {
	hd := in.Header
	f := n.frames.byWire(hd.Plan)
	if f == nil {
		in.Fail(transport.CodeRefused, "the plan is not installed here")
		return
	}
	from, v := f.frame.Node(in.From), planner.ValueID(hd.Value)
	if from < 0 || v < 0 || int(v) >= len(f.frame.Values) || hd.Epoch > uint64(^session.Epoch(0)) {
		in.Fail(transport.CodeMalformed, "the value has no part in the plan")
		return
	}
	spec, err := f.frame.Codec(v, int(hd.Stage)) // a value has no one stage: the field carries its coding
	if err != nil {
		in.Fail(transport.CodeMalformed, err.Error())
		return
	}
	epoch := session.Epoch(hd.Epoch)
	if epoch <= n.flights.endedAt(hd.Request) {
		in.Fail(transport.CodeRefused, "the request is over")
		return
	}
	begin := time.Now()
	t, wire, decode, size, err := n.receive(ctx, in, f.coder, &f.c.graph.Values[f.frame.Values[v]], spec)
	if err != nil {
		n.log.Warn("boundary value refused", "from", n.nodeName(in.From), "err", err)
		in.Fail(transport.CodeMalformed, err.Error())
		return
	}
	run := client.TransferMS{
		Value: f.c.graph.Values[f.frame.Values[v]].Name, From: n.nodeName(in.From), To: n.set.Name,
		Codec: spec, Bytes: size, WireMS: ms(wire), DecodeMS: ms(decode),
	}
	if len(hd.Extra) == 8 {
		run.EncodeMS = ms(time.Duration(binary.BigEndian.Uint64(hd.Extra)))
	}
	n.metrics.received(run.From, size)
	n.flights.deliver(n, hd.Request, f, letter{
		event:   session.Arrived{Handle: session.Handle{Value: v, Epoch: epoch}, Remaining: max(0, hd.Remaining-time.Since(begin))},
		handles: []session.Handle{{Value: v, Epoch: epoch}}, tensors: []*tensor.Tensor{t},
		transfers: []client.TransferMS{run},
	})
}

// receive reads and decodes one tensor, which has to be what the graph says; spec is its codec by the plan.
func (n *Node) receive(ctx context.Context, in *transport.Incoming, coder *codec.Coder, want *split.Value, spec string) (t *tensor.Tensor, wire, decode time.Duration, size int64, err error) {
	bytesWanted, err := tensor.Bytes(want.DType, want.Shape)
	if err != nil {
		return nil, 0, 0, 0, err
	}
	lim := codec.Limits{MaxBytes: int64(max(bytesWanted, 1))}
	begin := time.Now()
	count := &countReader{r: in}
	if n.host.Speed() == 1 {
		if t, err = coder.NewDecoder(count, lim).Decode(); err == nil {
			err = atEnd(count)
		}
		wire = time.Since(begin)
	} else {
		var b []byte
		if b, err = in.ReadAll(2*int64(bytesWanted) + frameSlack); err != nil {
			return nil, 0, 0, 0, err
		}
		count.n = int64(len(b))
		wire = time.Since(begin)
		begin = time.Now()
		if t, err = coder.Decode(b, lim); err == nil {
			err = n.host.Coded(ctx, host.CodecWork{Codec: spec, Decode: true, Bytes: bytesWanted}, time.Since(begin))
		}
		decode = time.Since(begin)
	}
	if err != nil {
		return nil, 0, 0, 0, err
	}
	if t.DType() != want.DType || !t.Shape().Equal(want.Shape) {
		return nil, 0, 0, 0, fmt.Errorf("value %q arrived as %v, want %v %v", want.Name, t, want.DType, want.Shape)
	}
	return t, wire, decode, count.n, nil
}

type countReader struct {
	r io.Reader
	n int64
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// atEnd fails unless r has ended; reading the end is also what acknowledges a tensor.
func atEnd(r io.Reader) error {
	var b [1]byte
	switch k, err := io.ReadFull(r, b[:]); {
	case k > 0:
		return errors.New("bytes after the tensor")
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

// runTask computes one stage of a plan. The result is parallel to task.Out.
func (n *Node) runTask(ctx context.Context, f *frameHere, task session.Task, in map[planner.ValueID]*tensor.Tensor) ([]*tensor.Tensor, time.Duration, error) {
	groups, err := f.frame.GroupsOf(task.Pieces)
	if err != nil {
		return nil, 0, err
	}
	for again := false; ; again = true {
		st, err := n.host.Prepare(ctx, f.c.graph, f.c.digest, groups, f.frame.Backends[f.self], n.estimate(f, groups), true)
		if err != nil {
			return nil, 0, err
		}
		args := make([]*tensor.Tensor, len(st.In()))
		for i, v := range st.In() {
			if args[i] = in[f.frame.ValueOf(v)]; args[i] == nil {
				return nil, 0, fmt.Errorf("stage lacks its input %q", f.c.graph.Values[v].Name)
			}
		}
		res, took, err := st.Run(ctx, args)
		if errors.Is(err, host.ErrEvicted) && !again {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		end := time.Now()
		n.loads.add(f.frame.Nodes[entryNode], end.Add(-took), end)
		out := make([]*tensor.Tensor, len(task.Out))
		for i, v := range task.Out {
			for j, made := range st.Out() {
				if v >= 0 && int(v) < len(f.frame.Values) && made == f.frame.Values[v] {
					out[i] = res[j]
				}
			}
			if out[i] == nil {
				return nil, 0, fmt.Errorf("stage does not make value %d", v)
			}
		}
		return out, took, nil
	}
}
