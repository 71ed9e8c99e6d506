package topology

import "fmt"

// check finds the first inconsistency between fields that are each well formed.
func (r *reader) check(t *Topology) {
	if len(t.Nodes) == 0 {
		r.fail("nodes", r.lines["nodes"], "there are none: list at least one, such as - {name: device, speed: 1/20}")
		return
	}
	nodes := map[string]bool{}
	for i, n := range t.Nodes {
		at := fmt.Sprintf("nodes[%d]", i)
		switch {
		case n.Name == "":
			r.missing(at, "name", "device")
		case nodes[n.Name]:
			r.fail(at+".name", r.lines[at+".name"], fmt.Sprintf("a second node %q: give each its own name", n.Name))
		}
		nodes[n.Name] = true
	}
	links := r.checkLinks(t, nodes)
	r.checkWorkload(t, nodes)
	r.checkEvents(t, nodes, links)
}

func (r *reader) checkLinks(t *Topology, nodes map[string]bool) map[string]bool {
	names := map[string]bool{}
	ways := map[[2]string]bool{}
	for i, l := range t.Links {
		at := fmt.Sprintf("links[%d]", i)
		r.reference(at, "from", l.From, nodes)
		r.reference(at, "to", l.To, nodes)
		switch {
		case l.From == l.To:
			r.fail(at+".to", r.lines[at+".to"], "the same node at both ends: name two nodes")
		case l.Bandwidth <= 0 && l.Trace == "":
			r.missing(at, "bandwidth", "20Mbps")
		case l.Trace != "" && l.Bandwidth > 0:
			r.fail(at+".bandwidth", r.lines[at+".bandwidth"], "given beside a trace: keep one of both, and scale a trace with trace_scale")
		case names[l.Name]:
			r.fail(at, r.lines[at], fmt.Sprintf("a second link %q: give it a name of its own", l.Name))
		case ways[[2]string{l.From, l.To}] || !l.OneWay && ways[[2]string{l.To, l.From}]:
			r.fail(at, r.lines[at], fmt.Sprintf("%s to %s is linked already: keep one link for each direction", l.From, l.To))
		}
		names[l.Name] = true
		ways[[2]string{l.From, l.To}] = true
		if !l.OneWay {
			ways[[2]string{l.To, l.From}] = true
		}
	}
	return names
}

func (r *reader) checkWorkload(t *Topology, nodes map[string]bool) {
	if _, given := r.lines["workload"]; !given {
		return
	}
	w := t.Workload
	r.reference("workload", "source", w.Source, nodes)
	if w.Model == "" {
		r.missing("workload", "model", "blazeface-front")
	}
	if w.Deadline <= 0 {
		r.fail("workload.deadline", r.lines["workload.deadline"], "is 0: leave the field out for the default of "+DefaultDeadline.String())
	}
	if n, _ := t.Node(w.Source); n.Absent {
		r.fail("workload.source", r.lines["workload.source"], fmt.Sprintf("%q is absent at the start: name a node that is present", w.Source))
	}
}

func (r *reader) checkEvents(t *Topology, nodes, links map[string]bool) {
	for i, e := range t.Events {
		at := fmt.Sprintf("events[%d]", i)
		if _, given := r.lines[at+".time"]; !given {
			r.missing(at, "time", "5s")
		}
		if e.Time > MaxTime {
			r.fail(at+".time", r.lines[at+".time"], "later than "+MaxTime.String()+": write an earlier time")
		}
		if e.Kind != Degrade {
			r.reference(at, string(e.Kind), e.Node, nodes)
			continue
		}
		path := at + ".degrade"
		r.reference(path, "link", e.Link, links)
		switch {
		case e.Bandwidth == nil && e.RTT == nil && e.Loss == nil:
			r.fail(path, r.lines[path], "changes nothing: write bandwidth, rtt or loss")
		case e.Bandwidth != nil && *e.Bandwidth <= 0:
			r.fail(path+".bandwidth", r.lines[path+".bandwidth"], "is 0: write a positive rate, or loss: 99% for a link that is all but gone")
		}
	}
}

// reference fails unless the field was given and is one of names.
func (r *reader) reference(path, key, value string, names map[string]bool) {
	at := path + "." + key
	switch {
	case value == "":
		r.missing(path, key, "")
	case !names[value]:
		r.fail(at, r.lines[at], fmt.Sprintf("%q is not in the file: write one of %s", value, listed(names)))
	}
}

// missing fails for a field that has to be given.
func (r *reader) missing(path, key, example string) {
	problem := "missing: add the field"
	if example != "" {
		problem += ", such as " + key + ": " + example
	}
	r.fail(path+"."+key, r.lines[path], problem)
}

func listed(names map[string]bool) string {
	fields := make(map[string]field, len(names))
	for n := range names {
		fields[n] = nil
	}
	return known(fields)
}
