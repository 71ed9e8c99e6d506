package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
)

// ErrMeasured is wrapped when a file of measurements cannot be held against a comparison.
var ErrMeasured = errors.New("bad measurements")

// Measured is what a real mesh measured: the rows of `cleave demo --json` or `cleave lab --json`; their other fields are not
// read.
type Measured struct {
	Rows []struct {
		Name       string  `json:"name"`
		MeasuredMS float64 `json:"measured_ms"`
	} `json:"rows"`
}

// LoadMeasured reads a file of measurements.
func LoadMeasured(path string) (*Measured, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open measurements: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxProfile+1))
	if err != nil {
		return nil, fmt.Errorf("read measurements: %w", err)
	}
	var m Measured
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrMeasured, err)
	}
	if len(m.Rows) == 0 {
		return nil, fmt.Errorf("%s: %w: no rows: give what `cleave demo --json` prints", path, ErrMeasured)
	}
	return &m, nil
}

// Against puts the measurements beside the rows of the same name. It fails when there is none.
func (c *Comparison) Against(m *Measured) error {
	found := false
	for _, row := range m.Rows {
		i := slices.IndexFunc(c.Rows, func(r Row) bool { return r.Name == row.Name })
		if i < 0 || row.MeasuredMS <= 0 || c.Rows[i].Failure != "" {
			continue
		}
		found = true
		c.Rows[i].MeasuredMS = row.MeasuredMS
		c.Rows[i].ErrorPercent = 100 * (c.Rows[i].SimulatedMS/row.MeasuredMS - 1)
	}
	if !found {
		return fmt.Errorf("%w: no row of theirs has the name of one of %s's", ErrMeasured, c.Topology)
	}
	return nil
}

// MedianError is the median of the rows' absolute errors in percent; NaN without measurements.
func (c *Comparison) MedianError() float64 {
	var errs []float64
	for _, r := range c.Rows {
		if r.MeasuredMS > 0 {
			errs = append(errs, math.Abs(r.ErrorPercent))
		}
	}
	if len(errs) == 0 {
		return math.NaN()
	}
	return quantile(errs, 0.5)
}
