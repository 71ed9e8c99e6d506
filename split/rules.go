package split

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// opKey names an operator.
type opKey struct{ domain, name string }

// opRule says how many inputs and outputs operators have (-1: any number) and how their types follow.
type opRule struct {
	names             string // separated by spaces
	min, max, outputs int
	infer             func(*opContext) error
}

func (r *opRule) arity() string {
	switch {
	case r.max < 0:
		return fmt.Sprintf("%d or more", r.min)
	case r.min == r.max:
		return fmt.Sprint(r.min)
	}
	return fmt.Sprintf("%d to %d", r.min, r.max)
}

// microsoft is the domain of ONNX Runtime's own operators, training that of the training optimisers.
const (
	microsoft = "com.microsoft"
	training  = "ai.onnx.preview.training"
)

var (
	buildRules sync.Once
	opRules    map[opKey]opRule
)

// ruleOf finds the rule of an operator: ONNX's own of opset 1 to 26 in the form that the reader gives them, and those of com.microsoft
// that exported models use.
func ruleOf(domain, name string) (opRule, bool) {
	buildRules.Do(func() {
		opRules = map[opKey]opRule{}
		add := func(domain string, families ...[]opRule) {
			for _, f := range families {
				for _, rule := range f {
					for _, name := range strings.Fields(rule.names) {
						opRules[opKey{domain, name}] = rule
					}
				}
			}
		}
		add("", elementwiseRules(), convolutionRules(), layoutRules(), selectionRules(), reductionRules(), productRules(),
			controlRules(), sequenceRules(), quantizedRules(), recurrentRules(), generatorRules(), imageRules(), textRules())
		add(microsoft, microsoftRules())
		add(training, trainingRules())
	})
	rule, ok := opRules[opKey{domain, name}]
	return rule, ok
}

// KnownOp reports whether Cleave knows the operator: its types and shapes can be inferred as far as they do not depend on
// data. Whether an engine can run it is the engine's to say.
func KnownOp(domain, opType string) bool {
	_, ok := ruleOf(domain, opType)
	return ok
}

// KnownOps is every operator of a domain that Cleave knows, ascending.
func KnownOps(domain string) []string {
	ruleOf(domain, "")
	var names []string
	for k := range opRules {
		if k.domain == domain {
			names = append(names, k.name)
		}
	}
	slices.Sort(names)
	return names
}
