package planner

import "context"

// auto is the planner to use when none is named: it looks at the problem and takes the exact solver that fits it.
type auto struct{}

func (auto) Name() string { return "auto" }

func (auto) Plan(ctx context.Context, p *Problem) (*Plan, error) {
	in, err := newInstance(p)
	if err != nil {
		return nil, err
	}
	return in.sweep(ctx, defaultWidth)
}
