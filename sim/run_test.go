package sim

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/internal/topology"
	"github.com/cleave-mesh/cleave/planner"
)

// camera is a small model: a picture that shrinks layer by layer.
func camera() *Profile {
	p := &Profile{Format: ProfileFormat, Model: "camera"}
	bytes := []int64{200_000, 150_000, 80_000, 40_000, 10_000, 1_000}
	for i, b := range bytes {
		p.Values = append(p.Values, ValueProfile{Name: "v" + string(rune('0'+i)), Output: i == len(bytes)-1, Codings: []CodingProfile{
			{Codec: "raw", Bytes: b},
			{Codec: "int8", Bytes: b / 4, Encode: float64(b) * 1e-9, Decode: float64(b) * 5e-10, Loss: 0.01},
		}})
	}
	for i := range len(bytes) - 1 {
		p.Pieces = append(p.Pieces, PieceProfile{
			Name: "p" + string(rune('0'+i)), Seconds: 0.004, Weights: 1 << 20, Work: bytes[i],
			In: []planner.ValueID{planner.ValueID(i)}, Out: []planner.ValueID{planner.ValueID(i + 1)},
		})
	}
	return p
}

const three = `
name: three
nodes:
  - {name: device, speed: 1/20, power: 3W}
  - {name: edge, speed: 1/4, power: 15W}
  - {name: cloud, speed: 1, power: 100W}
links:
  - {from: device, to: edge, bandwidth: 20Mbps, rtt: 4ms}
  - {from: edge, to: cloud, bandwidth: 10Mbps, rtt: 30ms}
  - {from: device, to: cloud, bandwidth: 10Mbps, rtt: 34ms}
workload: {model: camera, source: device, requests: 20}
`

func parse(t testing.TB, text string) *topology.Topology {
	t.Helper()
	top, err := topology.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return top
}

func policies(t testing.TB) []Policy {
	t.Helper()
	p, err := Policies()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func run(t *testing.T, cfg Config) *Result {
	t.Helper()
	res, err := Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestIdleRequestTakesWhatIsPredicted holds the simulator to the planner's cost model: a request alone on exact devices
// takes the predicted time. The slack is for congestion windows, which the cost model leaves out: a first transfer of
// more than InitialWindow waits for acknowledgements.
func TestIdleRequestTakesWhatIsPredicted(t *testing.T) {
	for _, policy := range policies(t) {
		if policy.Name == "cloud only, JPEG input" {
			continue // the camera's profile has no JPEG
		}
		res := run(t, Config{Topology: parse(t, three), Profile: camera(), Policy: policy})
		for _, q := range res.Requests[2:] { // windows are open by then
			if q.Failure != "" {
				t.Fatalf("%s: request %d failed: %s", policy.Name, q.ID, q.Failure)
			}
			if off := math.Abs(ms(q.Latency)/ms(res.Predicted) - 1); off > 0.01 {
				t.Errorf("%s: request %d took %v, predicted %v (%.1f %%) with %s",
					policy.Name, q.ID, q.Latency, res.Predicted, 100*off, res.Plan)
			}
		}
	}
}

func TestSeedsDecide(t *testing.T) {
	profile := camera()
	profile.Spread = 0.1
	one := func(seed uint64) *Result {
		return run(t, Config{Topology: parse(t, three), Profile: profile, Policy: policies(t)[3], Seed: seed, Trace: true})
	}
	if a, b := one(7), one(7); !reflect.DeepEqual(a, b) {
		t.Error("two runs of one seed differ")
	}
	if a, b := one(7), one(8); reflect.DeepEqual(a.Requests, b.Requests) {
		t.Error("two seeds give the same run")
	}
}

// TestDeath kills the node that computes in the middle of a request: the request is answered all the same, and later ones
// go elsewhere.
func TestDeath(t *testing.T) {
	text := three + "events: [{time: 300ms, kill: edge}]\n"
	text = strings.Replace(text, "34ms", "400ms", 1) // the cloud is out of reach of a good plan
	text = strings.Replace(text, "30ms", "400ms", 1)
	res := run(t, Config{Topology: parse(t, text), Profile: camera(), Policy: policies(t)[3], Events: true, Trace: true})
	replanned := 0
	for _, q := range res.Requests {
		if q.Failure != "" {
			t.Errorf("request %d failed: %s", q.ID, q.Failure)
		}
		if q.Epochs > 1 {
			replanned++
		}
	}
	if replanned == 0 {
		t.Errorf("no request was replanned: %+v", res.Switches)
	}
	if !strings.Contains(res.Requests[0].Plan, "edge") || strings.Contains(res.Requests[19].Plan, "edge") {
		t.Errorf("plans are %q at first and %q at last", res.Requests[0].Plan, res.Requests[19].Plan)
	}
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"nodes: [{name: a}]\n", "there is no workload"},
		{"nodes: [{name: a}]\nworkload: {model: other, source: a}\n", "the profile is of camera, the workload asks for other"},
		{"nodes: [{name: a, profile: x}]\nworkload: {model: camera, source: a}\n", "has a profile of its own"},
		{"nodes: [{name: a, backends: [ort]}]\nworkload: {model: camera, source: a}\n", "lists backends"},
		{"nodes: [{name: a}]\nworkload: {model: camera, source: a}\nevents: [{time: 1s, kill: a}]\n", "happens to the source a"},
	} {
		_, err := Run(context.Background(), Config{
			Topology: parse(t, tt.text), Profile: camera(), Policy: policies(t)[0], Events: true,
		})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error is %v, want it to contain %q", err, tt.want)
		}
	}
}

func TestProfileRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.json")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := camera().Write(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := LoadProfile(path)
	if err != nil || !reflect.DeepEqual(got, camera()) {
		t.Errorf("read %+v, %v", got, err)
	}
}

func TestThroughput(t *testing.T) {
	text := strings.Replace(three, "requests: 20", "requests: 300, arrivals: poisson 5/s, objective: throughput, deadline: 60s", 1)
	res := run(t, Config{Topology: parse(t, text), Profile: camera(), Policy: policies(t)[3]})
	if got := len(res.Latencies()); got != 300 {
		t.Errorf("%d of 300 requests were answered", got)
	}
	if res.Elapsed < 45*time.Second || res.Elapsed > 80*time.Second {
		t.Errorf("300 requests at 5/s took %v", res.Elapsed)
	}
}

// TestTrace halves the link's rate after ten seconds: the entry notices after a while and no request fails.
func TestTrace(t *testing.T) {
	text := strings.Replace(three, "bandwidth: 10Mbps, rtt: 34ms", "trace: x, rtt: 34ms", 1)
	text = strings.Replace(text, "requests: 20", "requests: 200", 1)
	top := parse(t, text)
	policy := policies(t)[3]
	if _, err := Run(context.Background(), Config{Topology: top, Profile: camera(), Policy: policy}); err == nil {
		t.Error("a trace that was not loaded is no error")
	}
	top.Links[2].Rates = &topology.Trace{
		Steps: []topology.Step{{At: 0, Rate: 10e6}, {At: 10 * time.Second, Rate: 1e5}}, Period: time.Hour,
	}
	res := run(t, Config{Topology: top, Profile: camera(), Policy: policy})
	if len(res.Latencies()) != 200 {
		t.Errorf("%d of 200 requests were answered", len(res.Latencies()))
	}
	first, last := res.Requests[0], res.Requests[199]
	if first.Plan == last.Plan {
		t.Errorf("the plan stays %s when the link goes from 10 to 0.1 Mbps", first.Plan)
	}
	if len(res.Switches) == 0 || res.Switches[0].At < 10*time.Second || res.Switches[0].At > 11*time.Second {
		t.Errorf("switches are %+v", res.Switches)
	}
}
