package split

// Cost is what one op or group asks of a machine for one run, from shapes alone.
type Cost struct {
	// FLOPs counts a multiply-add as two.
	FLOPs int64
	// Read and Written are bytes of activations; Weights is bytes of constants.
	Read, Written, Weights int64
}

// Add is the sum of both costs.
func (c Cost) Add(o Cost) Cost {
	return Cost{c.FLOPs + o.FLOPs, c.Read + o.Read, c.Written + o.Written, c.Weights + o.Weights}
}
