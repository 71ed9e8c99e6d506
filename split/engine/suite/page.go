package suite

import (
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/cleave-mesh/cleave/split/engine/native"
)

// reasons says why a case of ONNX's own suite does not pass, by the case's name or the beginning of it.
func reasons() [][2]string {
	return [][2]string{
		{"test_bernoulli", "the expected output is a draw from a generator that the specification leaves open"},
		{"test_castlike_BFLOAT16_to_FLOAT", "the file of input `like` has another shape than the model declares"},
		{"test_castlike_FLOAT_to_BFLOAT16", "the file of input `like` has another shape than the model declares"},
		{"test_cast_FLOAT_to_BFLOAT16", "the expected output cuts digits off; the specification rounds to nearest, as the engine does"},
		{"test_adam_multiple", "the model lacks the attribute epsilon = 0.01 that the expected output was computed with"},
		{"test_gradient", "Gradient differentiates a graph; training is out of scope"},
	}
}

// reasonFor is why a case does not pass, or its error when no reason is known.
func reasonFor(r Result) string {
	for _, e := range reasons() {
		if strings.HasPrefix(path.Base(r.Name), e[0]) {
			return e[1]
		}
	}
	return r.Error
}

// WritePage writes docs/operators.md from a run of ONNX's suite: what passed per operator, the operators of the engine that
// no case of the suite has, and each case that did not pass with the reason.
func WritePage(w io.Writer, results []Result) error {
	var b strings.Builder
	passed := 0
	for _, r := range results {
		if r.Pass {
			passed++
		}
	}
	fmt.Fprintf(&b, `# Operators of the native engine

This page is generated; do not edit it. The command is

    go run ./cmd/cleave suite --page docs/operators.md /usr/share/libonnx-testdata

where the folder is Debian's package libonnx-testdata, which holds ONNX's own backend tests. Models are read in the form of
opset 21 or newer, whatever opset they were written for; a subgraph's operators count for its case.

%d of %d cases pass.

| operator | passed | failed |
|---|---:|---:|
`, passed, len(results))
	seen := map[string]bool{}
	for _, op := range Summarize(results) {
		seen[op.Op] = true
		fmt.Fprintf(&b, "| %s | %d | %d |\n", op.Op, op.Passed, op.Failed)
	}
	b.WriteString("\n## Without a case in the suite\n\nThe engine has these operators too; they are tested with models and by hand.\n\n")
	for _, name := range native.Operators() {
		if !seen[name] && !strings.HasPrefix(name, "cleave.") {
			fmt.Fprintf(&b, "- %s\n", name)
		}
	}
	b.WriteString("\n## Cases that do not pass\n\n")
	for _, r := range results {
		if !r.Pass {
			fmt.Fprintf(&b, "- `%s`: %s\n", path.Base(r.Name), reasonFor(r))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
