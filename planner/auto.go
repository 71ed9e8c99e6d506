package planner

import "context"

// auto is the planner to use when none is named: the sweep, which is exact for every objective and limit, and as wide as the time
// that the context leaves allows.
type auto struct{}

func (auto) Name() string { return "auto" }

func (auto) Plan(ctx context.Context, p *Problem) (*Plan, error) {
	in, err := newInstance(p)
	if err != nil {
		return nil, err
	}
	width := defaultWidth
	if _, limited := ctx.Deadline(); limited {
		width = patientWidth
	}
	return in.sweep(ctx, width)
}

// patientWidth is how wide the sweep may get when the context ends it in time.
const patientWidth = 1 << 15

// sweeper is the sweep alone.
type sweeper struct{}

func (sweeper) Name() string { return "sweep" }

func (sweeper) Plan(ctx context.Context, p *Problem) (*Plan, error) {
	in, err := newInstance(p)
	if err != nil {
		return nil, err
	}
	return in.sweep(ctx, defaultWidth)
}
