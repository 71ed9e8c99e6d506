package planner

import (
	"encoding/json"
	"math"
)

// pieceJSON is a Piece with null for the time on a node that cannot run it: JSON has no infinity.
type pieceJSON struct {
	plainPiece
	Time []*float64
}

type plainPiece Piece

// MarshalJSON writes the piece; a time of +Inf is null.
func (c Piece) MarshalJSON() ([]byte, error) {
	out := pieceJSON{plainPiece: plainPiece(c), Time: make([]*float64, len(c.Time))}
	for i := range c.Time {
		if !math.IsInf(c.Time[i], 1) {
			out.Time[i] = &c.Time[i]
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Piece) UnmarshalJSON(data []byte) error {
	var in pieceJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*c = Piece(in.plainPiece)
	c.Time = make([]float64, len(in.Time))
	for i, t := range in.Time {
		c.Time[i] = math.Inf(1)
		if t != nil {
			c.Time[i] = *t
		}
	}
	return nil
}
