package sim

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/planner"
)

// branchy is the camera with an early exit after its third piece, by which half of the requests leave.
func branchy() *Profile {
	p := camera()
	exit := planner.ValueID(len(p.Values))
	p.Values = append(p.Values, ValueProfile{Name: "early", Output: true, Codings: []CodingProfile{{Codec: "raw", Bytes: 100}}})
	p.Pieces = append(p.Pieces, PieceProfile{Name: "head", Seconds: 0.0005, In: []planner.ValueID{3}, Out: []planner.ValueID{exit}})
	p.Exits = []ExitProfile{{Value: exit, Share: 0.5}}
	return p
}

// TestExitsTakeWhatIsPredicted holds requests that leave, and those that go on, to the times that the plan gives them, and their mean to the
// expected latency: within 2 %, for congestion windows, and within what chance makes of the share.
func TestExitsTakeWhatIsPredicted(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"near", three},
		{"far", strings.NewReplacer("34ms", "400ms", "30ms", "400ms", "4ms", "300ms").Replace(three)},
	} {
		top := parse(t, strings.Replace(tt.text, "requests: 20", "requests: 400", 1))
		cfg := Config{Topology: top, Profile: branchy(), Policy: policies(t)[3], Seed: 3}
		p, err := Problem(top, cfg.Profile, cfg.Policy)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := planner.PlanExits(context.Background(), p, cfg.Profile.PlannerExits(), cfg.Policy.Planner)
		if err != nil {
			t.Fatal(err)
		}
		at := map[string]float64{}
		for _, a := range planner.Answers(plan.Problem, plan.Plan) {
			name := ""
			if a.Exit >= 0 {
				name = plan.Problem.Values[a.Exit].Name
			}
			at[name] = a.At.Seconds()
		}
		res := run(t, cfg)
		left, sum := 0, 0.0
		for _, q := range res.Requests {
			if q.Failure != "" {
				t.Fatalf("%s: request %d: %s", tt.name, q.ID, q.Failure)
			}
			if q.Exit != "" {
				left++
			}
			sum += q.Latency.Seconds()
			if off := q.Latency.Seconds()/at[q.Exit] - 1; math.Abs(off) > 0.02 {
				t.Fatalf("%s: request %d answered at %q after %v, predicted %.1f ms with %s", tt.name, q.ID, q.Exit, q.Latency, 1e3*at[q.Exit], q.Plan)
			}
		}
		n := len(res.Requests)
		share, mean := float64(left)/float64(n), sum/float64(n)
		byShare := share*at["early"] + (1-share)*at[""]
		t.Logf("%s: %s: %d of %d leave; mean %.2f ms, predicted %.2f ms, with the share as it came out %.2f ms", tt.name, res.Plan, left, n, 1e3*mean, 1e3*plan.Expected, 1e3*byShare)
		if math.Abs(share-0.5) > 0.1 || math.Abs(mean/byShare-1) > 0.02 || math.Abs(res.Predicted.Seconds()-plan.Expected) > 1e-8 {
			t.Errorf("%s: share %.2f, mean %.2f ms, predicted %v and %.2f ms", tt.name, share, 1e3*mean, res.Predicted, 1e3*byShare)
		}
	}
}

// TestExitsSurviveADeath kills the node that computes in the middle of a request.
func TestExitsSurviveADeath(t *testing.T) {
	text := strings.NewReplacer("34ms", "400ms", "30ms", "400ms").Replace(three) + "events: [{time: 300ms, kill: edge}, {time: 2s, join: edge}]\n"
	res := run(t, Config{Topology: parse(t, text), Profile: branchy(), Policy: policies(t)[3], Events: true, Seed: 5})
	left := 0
	for _, q := range res.Requests {
		if q.Failure != "" {
			t.Errorf("request %d failed: %s", q.ID, q.Failure)
		}
		if q.Exit != "" {
			left++
		}
	}
	if left == 0 || left == len(res.Requests) || len(res.Switches) == 0 {
		t.Errorf("%d of %d left; %+v", left, len(res.Requests), res.Switches)
	}
}
