package planner

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
)

func TestProblemJSON(t *testing.T) {
	want := Problem{
		Model:  "m",
		Pieces: []Piece{{Name: "a", Time: []float64{0.5, math.Inf(1)}, In: []ValueID{0}, Out: []ValueID{1}, Weights: 7}},
		Values: []Value{{Name: "x", Producer: External, Codings: []Coding{{Codec: "raw", Bytes: 9}}}, {Name: "y", Output: true}},
		Nodes:  []Node{{Name: "n", Speed: 1}, {Name: "m"}},
	}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Problem
	if err := json.Unmarshal(data, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v from %s", got, err, data)
	}
}
