package suite

import (
	"maps"
	"slices"
)

// OpSummary counts the cases whose model has an op.
type OpSummary struct {
	Op     string `json:"op"`
	Passed int    `json:"passed"`
	Failed int    `json:"failed"`
}

// Summarize counts results per op, by name. Cases that could not be read have no op.
func Summarize(results []Result) []OpSummary {
	count := map[string]*OpSummary{}
	for _, r := range results {
		for _, op := range r.Ops {
			if count[op] == nil {
				count[op] = &OpSummary{Op: op}
			}
			if r.Pass {
				count[op].Passed++
			} else {
				count[op].Failed++
			}
		}
	}
	var all []OpSummary
	for _, op := range slices.Sorted(maps.Keys(count)) {
		all = append(all, *count[op])
	}
	return all
}
