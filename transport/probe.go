package transport

import (
	"context"
	"fmt"
	"io"
	"time"
)

// ProbeBudget is the most bytes that one Probe sends.
const ProbeBudget = 2 << 20

const (
	probeSmall = 1 << 10
	probeFirst = 64 << 10
	// probeEnough is the least time, beside one and a half round trips, that the timed half of a probe must last to be
	// believed: a shorter one times slow start.
	probeEnough = 5 * time.Millisecond
	// maxProbeBody bounds what a peer may make this host read.
	maxProbeBody = 4 << 20
)

// serveProbe counts the body and answers with the receipt.
func serveProbe(_ context.Context, in *Incoming) {
	buf := make([]byte, 32<<10)
	total := 0
	for {
		n, err := in.Read(buf)
		total += n
		if total > maxProbeBody {
			in.Fail(CodeTooLarge, fmt.Sprintf("probe over %d bytes", maxProbeBody))
			return
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return
		}
	}
	_, _ = in.Write(in.clock.receipt().append(nil))
}

// probe sends a small message for the round trip, then larger ones until the timing of one lasts long enough.
func (h *Host) probe(ctx context.Context, id PeerID) (PathState, error) {
	r := h.remote(id)
	t0 := time.Now()
	if _, err := h.probeOnce(ctx, id, probeSmall); err != nil {
		return PathState{}, err
	}
	rtt := time.Since(t0)
	r.path.pingRTT(rtt, time.Now())
	enough := max(probeEnough, rtt*3/2)
	for size, spent := probeFirst, 0; spent+size <= ProbeBudget; size *= 2 {
		rc, err := h.probeOnce(ctx, id, size)
		if err != nil {
			return PathState{}, err
		}
		spent += size
		if rc.tailBytes < minTail || rc.tail <= 0 {
			continue
		}
		if last := rc.tail >= enough || spent+2*size > ProbeBudget; last {
			r.path.sample(float64(rc.tailBytes)/rc.tail.Seconds(), false, time.Now())
			break
		}
	}
	return r.pathState(time.Now()), nil
}

func (h *Host) probeOnce(ctx context.Context, id PeerID, size int) (receipt, error) {
	s, err := h.open(ctx, id, KindProbe, urgencyCtl)
	if err != nil {
		return receipt{}, err
	}
	defer s.Close()
	if _, err := s.Write(make([]byte, size)); err != nil {
		return receipt{}, err
	}
	if err := s.CloseWrite(); err != nil {
		return receipt{}, err
	}
	rc, err := readReceipt(s)
	if err != nil {
		return receipt{}, fmt.Errorf("transport: probe %s: %w", id.Short(), err)
	}
	return rc, nil
}
