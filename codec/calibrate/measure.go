package calibrate

import (
	"context"
	"fmt"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
)

// rate measures bytes, times and error of values under their specs on the judging samples.
func (r *runner) rate(ids []split.ValueID, specs []codec.Spec, coder *codec.Coder) (Point, error) {
	p := Point{Codec: specs[0].String()}
	elements := 0
	for i, id := range ids {
		first := r.boundary[r.fitted][id]
		e, err := coder.Measure(specs[i], first)
		if err != nil {
			return p, err
		}
		elements += first.Len()
		p.EncodeNS += e.EncodeNS * float64(first.Len())
		p.DecodeNS += e.DecodeNS * float64(first.Len())
		var frame []byte
		for k := r.fitted; k < len(r.boundary); k++ {
			t := r.boundary[k][id]
			if frame, err = coder.Append(frame[:0], t, specs[i]); err != nil {
				return p, err
			}
			got, err := coder.Decode(frame, codec.Limits{})
			if err != nil {
				return p, err
			}
			relative, _, err := codec.Compare(t, got)
			if err != nil {
				return p, err
			}
			judged := float64(len(r.boundary) - r.fitted)
			p.Bytes += float64(len(frame)) / judged
			p.Error += relative * float64(t.Len()) / judged
		}
	}
	n := float64(max(elements, 1))
	p.Bits, p.Error, p.EncodeNS, p.DecodeNS = p.Bytes*8/n, p.Error/n, p.EncodeNS/n, p.DecodeNS/n
	return p, nil
}

// measure is rate and the effect on the answer of coding these values, all others exact. exe is the compiled stage.
func (r *runner) measure(ctx context.Context, exe engine.Executable, stage *split.Stage, ids []split.ValueID, s codec.Spec) (Point, error) {
	specs, coder, err := r.fit(ids, s)
	if err != nil {
		return Point{}, err
	}
	p, err := r.rate(ids, specs, coder)
	if err != nil {
		return p, err
	}
	if len(ids) > 1 {
		p.Codec = s.String()
	}
	if s.Lossless() {
		p.Effect, err = r.same()
		return p, err
	}
	var frame []byte
	total := 0
	for k := r.fitted; k < len(r.boundary); k++ {
		coded := map[split.ValueID]*tensor.Tensor{}
		for i, id := range ids {
			if frame, err = coder.Append(frame[:0], r.boundary[k][id], specs[i]); err != nil {
				return p, err
			}
			if coded[id], err = coder.Decode(frame, codec.Limits{}); err != nil {
				return p, err
			}
		}
		got, err := r.finish(ctx, exe, stage, k, coded)
		if err != nil {
			return p, err
		}
		p.Effect.Error += outputError(r.answers[k], got) / float64(len(r.boundary)-r.fitted)
		same, all := r.task.Agree(r.answers[k], got)
		p.Effect.Answers += all
		total += same
		if same != all {
			p.Effect.Flips++
		}
	}
	p.Effect.Agreement = share(total, p.Effect.Answers, r.task)
	return p, nil
}

// share is same/all; 1 without answers, -1 without a task.
func share(same, all int, t Task) float64 {
	switch {
	case t.Name() == noTask{}.Name():
		return -1
	case all == 0:
		return 1
	}
	return float64(same) / float64(all)
}

// same is the effect of a lossless codec: none.
func (r *runner) same() (Effect, error) {
	var e Effect
	for k := r.fitted; k < len(r.boundary); k++ {
		same, all := r.task.Agree(r.answers[k], r.answers[k])
		if same != all {
			return e, fmt.Errorf("task %s: sample %d does not agree with itself", r.task.Name(), k)
		}
		e.Answers += all
	}
	e.Agreement = share(e.Answers, e.Answers, r.task)
	return e, nil
}

// finish runs the stage on sample k with the coded values in place of the exact ones and returns the model's outputs.
func (r *runner) finish(ctx context.Context, exe engine.Executable, stage *split.Stage, k int, coded map[split.ValueID]*tensor.Tensor) ([]*tensor.Tensor, error) {
	in := make([]tensor.Value, len(stage.In))
	for i, id := range stage.In {
		t := coded[id]
		if t == nil {
			t = r.boundary[k][id]
		}
		if t == nil {
			return nil, fmt.Errorf("value %q was not recorded", r.g.Values[id].Name)
		}
		in[i] = t
	}
	out, err := exe.Run(ctx, in)
	if err != nil {
		return nil, err
	}
	made := map[split.ValueID]*tensor.Tensor{}
	for i, id := range stage.Out {
		if t, ok := out[i].(*tensor.Tensor); ok {
			made[id] = t
		}
	}
	answer := make([]*tensor.Tensor, len(r.g.Outputs))
	for i, id := range r.g.Outputs {
		switch {
		case made[id] != nil:
			answer[i] = made[id]
		case coded[id] != nil:
			answer[i] = coded[id]
		default:
			answer[i] = r.boundary[k][id]
		}
	}
	return answer, nil
}
