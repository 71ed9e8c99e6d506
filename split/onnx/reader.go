package onnx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cleave-mesh/cleave/internal/onnxpb"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// reader converts one model.
type reader struct {
	model     *onnxpb.ModelProto
	dir       string
	mapped    bool // the model's bytes are a file's mapping
	made      *generator
	buf       []byte   // the file's bytes when the reader may change them, else nil
	raw       [][]byte // what the carver took out of the model; nil when nothing was
	files     externalFiles
	functions map[functionKey]*onnxpb.FunctionProto
	opset     map[string]int
	ops       int // converted so far
	subgraphs int // begun so far
}

// functionKey is what a node calls a function by.
type functionKey struct{ domain, name, overload string }

func (r *reader) close() { r.files.close() }

// read converts the whole model.
func (r *reader) read() (*split.Graph, error) {
	var err error
	if r.opset, err = opsets(r.model.OpsetImport); err != nil {
		return nil, err
	}
	r.functions = map[functionKey]*onnxpb.FunctionProto{}
	for _, f := range r.model.Functions {
		r.functions[functionKey{domainName(f.Domain), f.Name, f.Overload}] = f
	}
	s, err := r.graph(r.model.Graph, nil, r.opset)
	if err != nil {
		return nil, err
	}
	for domain, version := range r.opset {
		s.b.Domain(domain, version)
	}
	s.b.Domain("", max(r.opset[""], ModernOpset))
	g, err := s.b.Graph()
	if err != nil {
		return nil, err
	}
	for _, kv := range r.model.MetadataProps {
		if g.Metadata == nil {
			g.Metadata = map[string]string{}
		}
		g.Metadata[kv.Key] = kv.Value
	}
	if err := takeShapes(g); err != nil {
		return nil, err
	}
	return g, nil
}

// domainName is the domain as split writes it: ONNX's own is the empty string.
func domainName(d string) string {
	if d == "ai.onnx" {
		return ""
	}
	return d
}

// opsets is the imported versions by domain. A model that imports none is of version 1.
func opsets(imports []*onnxpb.OperatorSetIdProto) (map[string]int, error) {
	set := map[string]int{}
	for _, o := range imports {
		d := domainName(o.Domain)
		if d == "" && o.Version > MaxOpset {
			return nil, fmt.Errorf("%w: opset %d is newer than %d, the newest that this build knows: update cleave, or export with an older opset",
				split.ErrInvalid, o.Version, MaxOpset)
		}
		if o.Version < 1 || o.Version > 1<<20 {
			return nil, fmt.Errorf("%w: opset version %d of domain %q", split.ErrInvalid, o.Version, o.Domain)
		}
		set[d] = max(set[d], int(o.Version))
	}
	if _, ok := set[""]; !ok {
		set[""] = 1
	}
	return set, nil
}

// scope is where names are looked up: a graph, a subgraph, or the body of a function that is inlined into one of these.
type scope struct {
	r     *reader
	b     *split.Builder // of the graph that ops go to
	outer *scope         // of the graph around a subgraph; nil for a main graph and for functions
	vars  map[string]split.ValueID
	// opset is the version of each domain; a function has its own.
	opset map[string]int
	// prefix stands before the names of values and ops of an inlined function.
	prefix string
	// attrs is the attributes that a function was called with; depth counts subgraphs and calls.
	attrs map[string]*onnxpb.AttributeProto
	depth int
}

// graph converts p, a subgraph when outer is not nil, up to its Builder.
func (r *reader) graph(p *onnxpb.GraphProto, outer *scope, opset map[string]int) (*scope, error) {
	s := &scope{r: r, b: split.NewBuilder(p.Name, 0), outer: outer, vars: map[string]split.ValueID{}, opset: opset}
	if outer != nil {
		r.subgraphs++
		s.b.Prefix(fmt.Sprintf("body_%d/", r.subgraphs))
		s.depth, s.attrs = outer.depth+1, outer.attrs
	}
	if s.depth > MaxDepth {
		return nil, fmt.Errorf("%w: graph %q: subgraphs nest deeper than %d", split.ErrLimit, p.Name, MaxDepth)
	}
	if err := s.constants(p); err != nil {
		return nil, err
	}
	types, err := valueInfo(p)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, in := range p.Input {
		if seen[in.Name] || in.Name == "" {
			return nil, fmt.Errorf("%w: graph input %q is defined twice or has no name", split.ErrInvalid, in.Name)
		}
		seen[in.Name] = true
		if _, isConst := s.vars[in.Name]; !isConst {
			s.vars[in.Name] = s.b.Input(in.Name, types[in.Name])
		}
	}
	if err := s.declare(p.Node, types); err != nil {
		return nil, err
	}
	for _, n := range p.Node {
		if err := s.node(n); err != nil {
			return nil, err
		}
	}
	for _, out := range p.Output {
		id, err := s.lookup(out.Name)
		if err != nil {
			return nil, fmt.Errorf("graph output: %w", err)
		}
		s.b.Output(id)
	}
	return s, nil
}

// constants adds the initializers of p.
func (s *scope) constants(p *onnxpb.GraphProto) error {
	add := func(name string, t *tensor.Tensor) error {
		if _, dup := s.vars[name]; dup || name == "" {
			return fmt.Errorf("%w: initializer %q is defined twice or has no name", split.ErrInvalid, name)
		}
		s.vars[name] = s.b.Const(name, t)
		return nil
	}
	for _, init := range p.Initializer {
		t, err := s.r.tensor(init)
		if err != nil {
			return err
		}
		if err := add(init.Name, t); err != nil {
			return err
		}
	}
	for _, init := range p.SparseInitializer {
		t, err := s.r.sparse(init)
		if err != nil {
			return err
		}
		if err := add(init.Values.Name, t); err != nil {
			return err
		}
	}
	return nil
}

// valueInfo is the types that p states, by name.
func valueInfo(p *onnxpb.GraphProto) (map[string]split.Type, error) {
	types := make(map[string]split.Type, len(p.ValueInfo)+len(p.Input)+len(p.Output))
	for _, list := range [][]*onnxpb.ValueInfoProto{p.ValueInfo, p.Output, p.Input} {
		for _, info := range list {
			t, err := typeOf(info.Type, 0)
			if err != nil {
				return nil, fmt.Errorf("value %q: %w", info.Name, err)
			}
			types[info.Name] = t
		}
	}
	return types, nil
}

// declare adds a value for every output of nodes, so that nodes in any order can refer to it.
func (s *scope) declare(nodes []*onnxpb.NodeProto, types map[string]split.Type) error {
	for _, n := range nodes {
		for _, name := range n.Output {
			if name == "" {
				continue
			}
			if _, dup := s.vars[name]; dup {
				return nodeError(n, fmt.Errorf("%w: output %q is defined twice", split.ErrInvalid, name))
			}
			if isConstant(n) {
				continue
			}
			s.vars[name] = s.b.Value(s.unique(s.prefix+name), types[name])
		}
		if isConstant(n) && len(n.Output) == 1 && n.Output[0] != "" {
			t, err := s.constant(n)
			if err != nil {
				return nodeError(n, err)
			}
			s.vars[n.Output[0]] = s.b.Const(s.unique(s.prefix+n.Output[0]), t)
		}
	}
	return nil
}

// unique is name, or name with a number where that is taken.
func (s *scope) unique(name string) string {
	if _, taken := s.b.Lookup(name); !taken {
		return name
	}
	for i := 2; ; i++ {
		try := fmt.Sprintf("%s#%d", name, i)
		if _, taken := s.b.Lookup(try); !taken {
			return try
		}
	}
}

// lookup finds a name here or in the graphs around. A value from outside becomes a capture of this graph; an outer
// constant becomes a constant of this graph.
func (s *scope) lookup(name string) (split.ValueID, error) {
	if id, ok := s.vars[name]; ok {
		return id, nil
	}
	if s.outer == nil {
		return split.None, fmt.Errorf("%w: value %q is defined nowhere: the model is incomplete", split.ErrInvalid, name)
	}
	id, err := s.outer.lookup(name)
	if err != nil {
		return split.None, err
	}
	v := s.outer.b.At(id)
	if local, taken := s.b.Lookup(v.Name); taken {
		if v.Const != nil && s.b.At(local).Const == v.Const || v.Const == nil && s.b.IsCapture(local) {
			s.vars[name] = local
			return local, nil
		}
		s.b.Rename(local, s.unique(v.Name+"#inner")) // a value of this graph that hides an outer one of the same name
	}
	var local split.ValueID
	if v.Const != nil {
		local = s.b.Const(v.Name, v.Const)
	} else {
		local = s.b.Capture(v.Name, v.Type())
	}
	s.vars[name] = local
	return local, nil
}

// node converts one node: a call is inlined, an old form is written in the modern one.
func (s *scope) node(n *onnxpb.NodeProto) error {
	if s.r.ops++; s.r.ops > MaxOps {
		return nodeError(n, fmt.Errorf("%w: the model has more than %d ops", split.ErrLimit, MaxOps))
	}
	if isConstant(n) && len(n.Output) == 1 {
		return nil // declare has added it
	}
	domain := domainName(n.Domain)
	if f := s.r.functions[functionKey{domain, n.OpType, n.Overload}]; f != nil {
		return s.call(n, f)
	}
	if !split.KnownOp(domain, n.OpType) && !(domain == "" && (n.OpType == "Upsample" || n.OpType == "Scatter")) {
		return nodeError(n, fmt.Errorf("%w: no version of it is known: see docs/operators.md for those that are", split.ErrUnknownOp))
	}
	o := split.Op{Domain: domain, Type: n.OpType}
	if n.Name != "" {
		o.Name = s.prefix + n.Name
	}
	for _, name := range n.Input {
		id := split.None
		if name != "" {
			var err error
			if id, err = s.lookup(name); err != nil {
				return nodeError(n, err)
			}
		}
		o.Inputs = append(o.Inputs, id)
	}
	for _, name := range n.Output {
		id := split.None
		if name != "" {
			id = s.vars[name]
		}
		o.Outputs = append(o.Outputs, id)
	}
	o.Inputs, o.Outputs = trimNone(o.Inputs), trimNone(o.Outputs)
	for _, p := range n.Attribute {
		name, a, err := s.attribute(p)
		if err != nil {
			return nodeError(n, fmt.Errorf("attribute %q: %w", p.Name, err))
		}
		if a == nil {
			continue
		}
		if o.Attrs == nil {
			o.Attrs = map[string]split.Attr{}
		}
		o.Attrs[name] = a
	}
	if err := s.captures(&o); err != nil {
		return nodeError(n, err)
	}
	version := s.opset[domain]
	if version == 0 {
		version = 1
		s.r.opset[domain] = max(s.r.opset[domain], 1)
	}
	if domain != "" {
		s.b.Add(o)
		return nil
	}
	if err := s.upgrade(o, version); err != nil {
		return nodeError(n, err)
	}
	return nil
}

func trimNone(ids []split.ValueID) []split.ValueID {
	for len(ids) > 0 && ids[len(ids)-1] == split.None {
		ids = ids[:len(ids)-1]
	}
	return ids
}

// captures fills o.Captures from its subgraphs.
func (s *scope) captures(o *split.Op) error {
	add := func(g *split.Graph) error {
		for _, v := range g.Captured {
			id, ok := s.b.Lookup(g.Values[v].Name)
			if !ok {
				return fmt.Errorf("%w: value %q is defined nowhere", split.ErrInvalid, g.Values[v].Name)
			}
			if !slices.Contains(o.Captures, id) {
				o.Captures = append(o.Captures, id)
			}
		}
		return nil
	}
	var errs []error
	o.Subgraphs(func(_ string, g *split.Graph) { errs = append(errs, add(g)) })
	return errors.Join(errs...)
}

// nodeError places err at n unless it has a place deeper inside.
func nodeError(n *onnxpb.NodeProto, err error) error {
	var placed *split.OpError
	if errors.As(err, &placed) {
		return err
	}
	name, opType := n.Name, n.OpType
	if name == "" && len(n.Output) > 0 {
		name = n.Output[0]
	}
	if d := domainName(n.Domain); d != "" {
		opType = d + "." + opType
	}
	return &split.OpError{Op: name, Type: opType, Err: err}
}
