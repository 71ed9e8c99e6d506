package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
)

// Check says why no backend of this host can run g, or nil. It compiles the graph and throws the result away.
func (h *Host) Check(ctx context.Context, g *split.Graph) error {
	var errs []error
	for _, b := range h.cfg.Backends {
		exec, err := b.Compile(ctx, g, engine.Options{Threads: h.cfg.Threads, MemoryLimit: h.cfg.Memory})
		if err == nil {
			return exec.Close()
		}
		errs = append(errs, fmt.Errorf("backend %s: %w", b.Name(), err))
	}
	return errors.Join(errs...)
}
