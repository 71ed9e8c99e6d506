package split

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// TestTranscripts runs testdata: commands are a graph in parseGraph's form and the answer is what becomes of it.
//
//	infer [x=1x2x3]     types and shapes, with inputs bound
//	pass NAME           one pass, after inference
//	canonicalize        all passes and groups
//	cuts                the legal cuts of the canonical graph
//	stage 0 2           those groups as a stage
//	cost                each group's cost
//	divide first=0 last=2 axis=2 parts=(3,5)   the canonical graph with that block in parts
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if strings.Contains(path, "fuzz") {
			return
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out, err := transcript(t, d)
			if err != nil {
				return "error: " + err.Error() + "\n"
			}
			return out
		})
	})
}

func transcript(t *testing.T, d *datadriven.TestData) (string, error) {
	g := parseGraph(t, d.Input)
	shapes := map[string]tensor.Shape{}
	if d.Cmd == "infer" {
		for _, arg := range d.CmdArgs {
			typ, err := parseType([]string{"float32", arg.Vals[0]})
			if err != nil {
				return "", err
			}
			shapes[arg.Key] = typ.Shape
		}
	}
	g, err := Specialize(g, shapes)
	if err != nil || d.Cmd == "infer" {
		if err != nil {
			return "", err
		}
		return printGraph(g), nil
	}
	if d.Cmd == "pass" {
		return onePass(g, d.CmdArgs[0].Key)
	}
	before := g.Digest()
	c, err := Canonicalize(g)
	if err != nil {
		return "", err
	}
	if g.Digest() != before {
		t.Error("Canonicalize changed its input")
	}
	if again, err := Canonicalize(g); err != nil || again.Digest() != c.Digest() {
		t.Errorf("a second Canonicalize gave another graph (error %v)", err)
	}
	switch d.Cmd {
	case "canonicalize":
		return printGraph(c), nil
	case "cuts":
		var s strings.Builder
		for _, cut := range Cuts(c) {
			var names []string
			for _, v := range cut.Values {
				names = append(names, c.Values[v].Name)
			}
			fmt.Fprintf(&s, "%d: %s (%d bytes)\n", cut.Front, strings.Join(names, " "), cut.Bytes)
		}
		return s.String(), nil
	case "stage":
		var ids []GroupID
		for _, arg := range d.CmdArgs {
			var id GroupID
			if _, err := fmt.Sscan(arg.Key, &id); err != nil {
				return "", err
			}
			ids = append(ids, id)
		}
		stage, err := c.Stage(ids)
		if err != nil {
			return "", err
		}
		s := ""
		for _, v := range stage.Graph.Inputs {
			s += "input " + stage.Graph.Values[v].Name + "\n"
		}
		return s + printGraph(stage.Graph), nil
	case "divide":
		var div Division
		for _, arg := range d.CmdArgs {
			for _, v := range arg.Vals {
				n, err := strconv.Atoi(v)
				if err != nil {
					return "", err
				}
				switch arg.Key {
				case "first":
					div.First = GroupID(n)
				case "last":
					div.Last = GroupID(n)
				case "axis":
					div.Axis = n
				case "parts":
					div.Parts = append(div.Parts, n)
				}
			}
		}
		before := c.Digest()
		out, err := c.Divide([]Division{div})
		if err != nil {
			return "", err
		}
		if again, err := c.Divide([]Division{div}); err != nil || c.Digest() != before || again.Graph.Digest() != out.Graph.Digest() {
			t.Errorf("a second Divide gave another graph, or changed its input (error %v)", err)
		}
		s := printGraph(out.Graph)
		for _, o := range out.Groups {
			s += fmt.Sprintf("part %d of division %d: %.4g of group %d\n", o.Part, o.Division, o.Share, o.Group)
		}
		return s, nil
	case "cost":
		var s strings.Builder
		for id := range c.Groups {
			k := c.GroupCost(GroupID(id))
			fmt.Fprintf(&s, "%s: %d FLOPs, reads %d, writes %d, weights %d\n", c.Groups[id].Pattern, k.FLOPs, k.Read, k.Written, k.Weights)
		}
		return s.String(), nil
	}
	return "", fmt.Errorf("unknown command %q", d.Cmd)
}

// TestEveryPassHasTranscripts: each pass, and each thing that is recognised in several ops, is in some transcript.
func TestEveryPassHasTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, path := range files {
		if b, err := os.ReadFile(path); err == nil { // not the folder of fuzzing
			all += string(b)
		}
	}
	var wanted []string
	for _, p := range passes() {
		wanted = append(wanted, "pass "+p.name+"\n")
	}
	for _, p := range []string{PatternLayerNorm, PatternRMSNorm, PatternGelu, PatternHardSwish, PatternHardSigmoid, PatternSilu, PatternAttention} {
		wanted = append(wanted, p+" [")
	}
	for _, w := range wanted {
		if !strings.Contains(all, w) {
			t.Errorf("no transcript of %q", w)
		}
	}
}

// onePass runs a single pass.
func onePass(g *Graph, name string) (string, error) {
	for _, p := range passes() {
		if p.name != name {
			continue
		}
		c := &canonicalizer{g: g.clone()}
		if err := c.infer(); err != nil {
			return "", err
		}
		if !p.run(c) {
			return "unchanged\n", nil
		}
		if err := c.clean(); err != nil {
			return "", err
		}
		if err := c.infer(); err != nil {
			return "", err
		}
		return printGraph(c.g), nil
	}
	return "", fmt.Errorf("no pass %q", name)
}
