package node

import (
	"context"
	"sync"
	"time"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/session"
	"github.com/cleave-mesh/cleave/planner"
)

// A flight is one request on this node: the shell around the session machines. Its loop is the one goroutine that touches
// machines and store; work that blocks runs beside it and reports back through the mailbox.
type flight struct {
	n     *Node
	id    requestID
	frame *frameHere
	began time.Time
	ctx   context.Context // ends with the flight
	stop  context.CancelFunc
	mail  mailbox
	work  sync.WaitGroup // goroutines beside the loop

	// Owned by the loop.
	host     *session.Host
	coord    *session.Coordinator // nil unless this node is the entry
	store    map[session.Handle]*tensor.Tensor
	hostTime *time.Timer
	headTime *time.Timer
	computes map[computeKey]context.CancelFunc
	unsaid   measured         // measured here, not told to the entry yet
	entry    *entryState      // nil unless this node is the entry
	inputs   []*tensor.Tensor // of the graph, on the entry
}

type computeKey struct {
	epoch session.Epoch
	stage int
}

// measured is what happened on a node during a request.
type measured struct {
	stages    []client.StageRun
	transfers []client.TransferMS
}

// letter is one delivery to a flight's loop: tensors to keep first, then an event.
type letter struct {
	event session.Event
	// only says which machine's event it is: a timer belongs to one of them.
	only      machine
	handles   []session.Handle
	tensors   []*tensor.Tensor
	stages    []client.StageRun
	transfers []client.TransferMS
}

// tellTimeout is how long a message to another node may take before it counts as not delivered.
const tellTimeout = 3 * time.Second

type machine uint8

const (
	both machine = iota
	hostOnly
	coordOnly
)

// mailbox is an unbounded queue with one reader. What fills it is bounded elsewhere: streams per peer, and one letter for
// each piece of work.
type mailbox struct {
	wake chan struct{} // capacity 1

	mu     sync.Mutex
	queue  []letter // guarded by mu
	closed bool     // guarded by mu
}

// put adds a letter; false when the flight is over.
func (m *mailbox) put(l letter) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.queue = append(m.queue, l)
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return true
}

func (m *mailbox) take() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queue
	m.queue = nil
	return q
}

func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.queue = true, nil
}

func newFlight(n *Node, id requestID, f *frameHere) *flight {
	n.lastUse.Store(int64(n.now()))
	ctx, stop := context.WithCancel(n.ctx)
	return &flight{
		n: n, id: id, frame: f, began: time.Now().UTC(), ctx: ctx, stop: stop, mail: mailbox{wake: make(chan struct{}, 1)},
		host:  session.NewHost(f.self),
		store: map[session.Handle]*tensor.Tensor{}, computes: map[computeKey]context.CancelFunc{},
		hostTime: stoppedTimer(), headTime: stoppedTimer(),
	}
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// run is the loop. It ends when the Host has closed, or with the node.
func (f *flight) run() {
	defer func() {
		f.mail.close()
		f.stop()
		f.hostTime.Stop()
		f.headTime.Stop()
		f.work.Wait()
		if f.entry != nil {
			f.entry.abort(errStopped)
		}
	}()
	for {
		select {
		case <-f.ctx.Done():
			return
		case <-f.hostTime.C:
			if f.step(letter{event: session.Timer{}, only: hostOnly}) {
				return
			}
		case <-f.headTime.C:
			if f.step(letter{event: session.Timer{}, only: coordOnly}) {
				return
			}
		case <-f.mail.wake:
			for _, l := range f.mail.take() {
				if f.step(l) {
					return
				}
			}
		}
	}
}

// step hands one letter to the machines and carries out what they want, messages to this node itself included. It reports
// whether the flight is over.
func (f *flight) step(l letter) (over bool) {
	for i, h := range l.handles {
		if _, ok := f.store[h]; !ok {
			f.store[h] = l.tensors[i]
		}
	}
	if f.entry != nil {
		f.entry.learn(l.stages, l.transfers)
	} else {
		f.unsaid.stages = append(f.unsaid.stages, l.stages...)
		f.unsaid.transfers = append(f.unsaid.transfers, l.transfers...)
	}
	if l.event == nil {
		return false
	}
	queue := []letter{l}
	for len(queue) > 0 {
		l, queue = queue[0], queue[1:]
		now := f.n.now()
		if l.only != coordOnly {
			for _, e := range f.host.Step(now, l.event) {
				if self, ok := f.do(e, f.hostTime); ok {
					queue = append(queue, self)
				}
				if _, closed := e.(session.Closed); closed {
					over = true
				}
			}
			if told, ok := l.event.(session.Told); ok {
				if end, ok := told.Message.(*session.End); ok && end.Epoch >= f.host.Epoch() {
					f.n.flights.ended(f.id, end.Epoch)
					over = true
				}
			}
		}
		if f.coord != nil && l.only != hostOnly {
			for _, e := range f.coord.Step(now, l.event) {
				if self, ok := f.do(e, f.headTime); ok {
					queue = append(queue, self)
				}
			}
		}
	}
	return over
}

// do carries out one effect. A message to this node itself comes back as a letter.
func (f *flight) do(e session.Effect, timer *time.Timer) (self letter, ok bool) {
	switch e := e.(type) {
	case session.Tell:
		if e.To == f.frame.self {
			return letter{event: session.Told{From: f.frame.self, Message: e.Message}}, true
		}
		f.tell(e)
	case session.Compute:
		f.compute(e)
	case session.Abandon:
		if cancel, ok := f.computes[computeKey{e.Epoch, e.Task.Stage}]; ok {
			cancel()
		}
	case session.Send:
		f.send(e)
	case session.Drop:
		for _, h := range e.Values {
			delete(f.store, h)
		}
	case session.SetTimer:
		timer.Reset(max(0, e.At-f.n.now()))
	case session.Replan:
		f.replan(e)
	case session.Judge:
		return letter{event: f.judge(e), only: coordOnly}, true
	case session.Deliver:
		f.entry.deliver(f, e)
	case session.Fail:
		f.entry.abort(e)
	}
	return letter{}, false
}

// tell sends a message to another node, with what was measured here so far.
func (f *flight) tell(e session.Tell) {
	env := envelope{Request: f.id, Frame: f.frame.id.String()}
	if _, ok := e.Message.(*session.Notice); ok {
		env.Stages, env.Transfers = f.unsaid.stages, f.unsaid.transfers
		f.unsaid = measured{}
	}
	// Beside the node, not the flight: the last messages of a request outlive it here.
	f.n.beside(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, tellTimeout)
		defer cancel()
		if err := f.n.sendEnvelope(ctx, f.frame, e.To, env, e.Message); err != nil {
			f.n.log.Debug("message not delivered", "request", f.id, "to", f.frame.name(e.To), "err", err)
			f.mail.put(letter{event: session.TellFailed{To: e.To}})
		}
	})
}

// beside runs work in a goroutine that the flight waits for.
func (f *flight) beside(work func(ctx context.Context)) {
	f.work.Add(1)
	go func() {
		defer f.work.Done()
		work(f.ctx)
	}()
}

// compute runs a stage on tensors from the store.
func (f *flight) compute(e session.Compute) {
	in := make(map[planner.ValueID]*tensor.Tensor, len(e.In))
	for i, h := range e.In {
		in[e.Task.In[i]] = f.store[h]
	}
	ctx, cancel := context.WithCancel(f.ctx)
	key := computeKey{e.Epoch, e.Task.Stage}
	f.computes[key] = cancel
	f.beside(func(context.Context) {
		defer cancel()
		out, took, err := f.n.runTask(ctx, f.frame, e.Task, in)
		if err != nil {
			f.n.log.Warn("stage failed", "request", f.id, "stage", e.Task.Stage, "err", err)
			f.mail.put(letter{event: session.ComputeFailed{Epoch: e.Epoch, Task: e.Task, Reason: err.Error()}})
			return
		}
		l := letter{event: session.Computed{Epoch: e.Epoch, Task: e.Task}}
		for i, v := range e.Task.Out {
			l.handles = append(l.handles, session.Handle{Value: v, Epoch: e.Epoch})
			l.tensors = append(l.tensors, out[i])
		}
		l.stages = []client.StageRun{{Node: f.n.set.Name, Stage: e.Task.Stage, MS: ms(took)}}
		f.mail.put(l)
	})
}

// send encodes a value from the store and streams it to another node.
func (f *flight) send(e session.Send) {
	t := f.store[e.Handle]
	f.beside(func(ctx context.Context) {
		if err := f.n.sendValue(ctx, f.id, f.frame, e, t); err != nil {
			f.n.log.Debug("value not sent", "request", f.id, "value", e.Handle.Value, "to", f.frame.name(e.To), "err", err)
			f.mail.put(letter{event: session.SendFailed{Epoch: e.Epoch, Value: e.Handle.Value, To: e.To}})
			return
		}
		f.mail.put(letter{event: session.Sent{Epoch: e.Epoch, Value: e.Handle.Value, To: e.To}})
	})
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
