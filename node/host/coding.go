package host

import (
	"context"
	"time"
)

// CodecWork is a piece of codec work: the same coding of as many bytes takes an emulated machine the same time whenever it is
// done.
type CodecWork struct {
	Codec  string
	Decode bool
	Bytes  int // of the tensor
}

// maxCodings is how many kinds of codec work a paced Host remembers before it forgets them all.
const maxCodings = 4096

// Coded blocks until the emulated machine would be done with codec work that has just ended here after real. The least time
// that the work ever took here counts: a pause of this machine must not be drawn out by the emulation.
func (h *Host) Coded(ctx context.Context, c CodecWork, real time.Duration) error {
	if h.cfg.Speed == 1 {
		return nil
	}
	return h.pace(ctx, time.Now().Add(-real), h.leastCoding(c, real))
}

func (h *Host) leastCoding(c CodecWork, real time.Duration) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if least, ok := h.codings[c]; ok && least <= real {
		return least
	}
	if len(h.codings) >= maxCodings {
		clear(h.codings)
	}
	h.codings[c] = real
	return real
}
