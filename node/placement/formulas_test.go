package placement

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
)

// Each file in testdata/formulas works a formula out on round numbers.
//
//	balance loads=(fixed/each,...)                      shares and the time at which all end
//	divide rows=8 parts=(4,4) seconds=(1,1) border= speed= bytes= encode= decode= loss=
//	                                                    seconds of each group, codings of each value of convolutions of that height
func TestFormulas(t *testing.T) {
	datadriven.Walk(t, "testdata/formulas", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			args := map[string][]float64{}
			var loads []load
			for _, a := range d.CmdArgs {
				for _, v := range a.Vals {
					fixed, each, pair := strings.Cut(v, "/")
					if pair {
						loads = append(loads, load{number(t, fixed), number(t, each)})
					} else {
						args[a.Key] = append(args[a.Key], number(t, v))
					}
				}
			}
			if d.Cmd == "balance" {
				shares, took := balance(loads)
				return fmt.Sprintf("shares %.4g, all end at %.4g s\n", shares, took)
			}
			g := convolutions(t, len(args["seconds"]), int(args["rows"][0]))
			div := split.Division{Last: split.GroupID(len(g.Groups) - 1), Axis: 2}
			for _, n := range args["parts"] {
				div.Parts = append(div.Parts, int(n))
			}
			divided, err := g.Divide([]split.Division{div})
			if err != nil {
				return err.Error() + "\n"
			}
			one := func(name string) float64 {
				if v := args[name]; len(v) > 0 {
					return v[0]
				}
				return 0
			}
			p := Profile{Groups: args["seconds"], Border: one("border")}
			p = p.Divided(divided, one("speed"))
			out := ""
			for id := range divided.Graph.Groups {
				out += fmt.Sprintf("%s: %.6g s\n", divided.Graph.Groups[id].Name, p.Groups[id])
			}
			coding := planner.Coding{Codec: "raw", Bytes: int64(one("bytes")), Encode: one("encode"), Decode: one("decode"), Loss: one("loss")}
			for v, o := range divided.Values {
				if o.Value < 0 || divided.Graph.Values[v].Const != nil {
					continue
				}
				for _, c := range partCodings([]planner.Coding{coding, {Codec: "jpeg"}, {Codec: "uniform:table=0"}}, o.Share) {
					out += fmt.Sprintf("%s: %s %d bytes, encode %.4g s, decode %.4g s, loss %.4g\n", divided.Graph.Values[v].Name, c.Codec, c.Bytes, c.Encode, c.Decode, c.Loss)
				}
			}
			return out
		})
	})
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
