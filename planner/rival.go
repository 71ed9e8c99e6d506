package planner

import (
	"context"
	"time"

	"github.com/cleave-mesh/cleave/planner/maxflow"
)

// rival is another system's way to place a model, predicted by Cleave's cost model. Unless the system chooses codecs, its values
// travel raw. Its own plan is kept even where a better one is known; where it breaks a limit it fails, as the system would.
type rival struct {
	name string
	// source is the publication or system.
	source string
	place  func(in *instance) []NodeID
}

func (r rival) Name() string { return r.name }

func (r rival) Plan(_ context.Context, p *Problem) (*Plan, error) {
	begin := time.Now()
	in, err := newInstance(p)
	if err != nil {
		return nil, err
	}
	place := r.place(in)
	if place == nil {
		return nil, &InfeasibleError{Constraint: r.name + " finds no placement on the paths and nodes there are"}
	}
	plan, err := in.evaluate(place, rawCodings(p))
	if err != nil {
		return nil, err
	}
	return in.prove(plan, Proof{Solver: r.name, Claim: "as in " + r.source + "; proves nothing under this cost model", Elapsed: time.Since(begin), Explored: 1}), nil
}

// rivals are the published systems and the folk methods.
func rivals() []Planner {
	return []Planner{
		rival{"neurosurgeon", "Kang et al., Neurosurgeon, ASPLOS 2017", neurosurgeon},
		rival{"dads-light", "Hu et al., Dynamic adaptive DNN surgery, INFOCOM 2019 (light load)", dadsLight},
		rival{"dads-heavy", "Hu et al., Dynamic adaptive DNN surgery, INFOCOM 2019 (heavy load)", dadsHeavy},
		rival{"qdmp", "Zhang et al., Towards real-time cooperative deep inference over the cloud and edge end devices (QDMP), IMWUT 2020", qdmp},
		rival{"even", "equal numbers of layers on every node, the default of many pipeline runtimes", evenSplit},
		rival{"memory-proportional", "layers in proportion to memory, as exo and other home clusters do", memoryProportional},
		rival{"greedy", "list scheduling by earliest finish, without looking ahead", greedy},
		rival{"heft", "Topcuoglu, Hariri, Wu, HEFT, IEEE TPDS 13(3), 2002", heft},
		rival{"edgeshard", "Zhang et al., EdgeShard, arXiv:2405.14371, 2024", edgeShard},
		rival{"pipeedge", "Hu et al., PipeEdge, arXiv:2110.14895, 2021", pipeEdge},
	}
}

// neurosurgeon scans all cuts of the chain: what comes before runs on the device, the rest on the cloud.
func neurosurgeon(in *instance) []NodeID {
	l, device, cloud := newLine(in), in.p.Source, cloudOnly(in)
	left, right := 0.0, make([]float64, in.pieces+1)
	for i := in.pieces - 1; i >= 0; i-- {
		right[i] = right[i+1] + in.run[i*in.nodes+int(cloud)]
	}
	best, at := inf, -1
	for cut := 0; cut <= in.pieces; cut++ {
		t := left + right[cut]
		if cut < in.pieces {
			t += l.move(cut, device, cloud, true) + l.move(in.pieces, cloud, in.p.Sink, true)
		} else {
			t += l.move(in.pieces, device, in.p.Sink, true)
		}
		if in.p.Objective == Throughput {
			t = max(left, right[cut], l.move(cut, device, cloud, false))
		}
		if t < best {
			best, at = t, cut
		}
		if cut < in.pieces {
			left += in.run[cut*in.nodes+int(device)]
		}
	}
	if at < 0 {
		return nil
	}
	return prefix(in.pieces, at, device, cloud)
}

// prefix places the first n pieces on a, the others on b.
func prefix(pieces, n int, a, b NodeID) []NodeID {
	place := make([]NodeID, pieces)
	for i := range place {
		place[i] = b
		if i < n {
			place[i] = a
		}
	}
	return place
}

// dadsLight is DADS's minimum cut as published: compute and bytes over bandwidth, no round trips, no arcs against the flow and no
// charge for what comes back.
func dadsLight(in *instance) []NodeID { return in.dadsCut(1, 1, 1) }

// dadsCut minimises a weighted sum of device time, transmission and cloud time over all two-way cuts.
func (in *instance) dadsCut(wDevice, wLink, wCloud float64) []NodeID {
	device, cloud := in.p.Source, cloudOnly(in)
	s, t := in.pieces, in.pieces+1
	f := maxflow.New(in.pieces+2, 4*in.pieces)
	for i := range in.pieces {
		f.Arc(s, i, wCloud*in.run[i*in.nodes+int(cloud)])
		f.Arc(i, t, wDevice*in.run[i*in.nodes+int(device)])
	}
	for v := range in.p.Values {
		val := &in.p.Values[v]
		h, ok := in.rawHop(ValueID(v), device, cloud)
		cost := inf
		if ok {
			cost = wLink * float64(h.bytes) / in.p.Paths[device][cloud].Goodput
		}
		maker := int(val.Producer)
		if val.Producer == External {
			maker = s
		}
		readers := make([]int, len(val.Consumers))
		for k, c := range val.Consumers {
			readers[k] = int(c)
		}
		f.Once(maker, readers, cost)
	}
	if f.Run(s, t) == inf {
		return nil
	}
	place := make([]NodeID, in.pieces)
	for i := range place {
		place[i] = cloud
		if f.Side(i) {
			place[i] = device
		}
	}
	return place
}

// dadsHeavy looks for the cut with the least bottleneck among device, link and cloud by minimum cuts of weighted sums. The cut of
// the plain sum is among them, so that the result is within three times the best two-way bottleneck of DADS's model.
func dadsHeavy(in *instance) []NodeID {
	weights := []float64{1, 0.5, 2, 0.25, 4, 0.1, 10}
	best, least := []NodeID(nil), inf
	for _, d := range weights {
		for _, l := range weights {
			place := in.dadsCut(d, l, 1)
			if place == nil {
				continue
			}
			if b := in.bottleneck(place); b < least {
				best, least = place, b
			}
		}
	}
	return best
}

// bottleneck is the largest of device time, transmission up and cloud time, as DADS counts.
func (in *instance) bottleneck(place []NodeID) float64 {
	device, cloud := in.p.Source, cloudOnly(in)
	var d, c, l float64
	for i, n := range place {
		if n == device {
			d += in.run[i*in.nodes+int(n)]
		} else {
			c += in.run[i*in.nodes+int(n)]
		}
	}
	for v := range in.p.Values {
		val := &in.p.Values[v]
		if val.Producer != External && place[val.Producer] == cloud {
			continue
		}
		for _, r := range val.Consumers {
			if place[r] == cloud {
				h, _ := in.rawHop(ValueID(v), device, cloud)
				l += float64(h.bytes) / in.p.Paths[device][cloud].Goodput
				break
			}
		}
	}
	return max(d, c, l)
}
