package planner

import "context"

// auto is the planner to use when none is named. It takes the sweep, starting from every other cheap plan, so that it is never
// worse than any of them.
type auto struct{}

func (auto) Name() string { return "auto" }

func (auto) Plan(ctx context.Context, p *Problem) (*Plan, error) {
	in, err := newInstance(p)
	if err != nil {
		return nil, err
	}
	return in.sweep(ctx, defaultWidth)
}

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
