package sim

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// WriteFiles puts a report into a folder, which is made if it is not there: report.json; rows.csv, a line for each policy;
// and for a story requests.csv, a line for each request, latency.svg, a drawing of them, and
// trace.json for ui.perfetto.dev. It returns their names.
func (r *Report) WriteFiles(dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("write report: %w", err)
	}
	type file struct {
		name  string
		write func(io.Writer) error
	}
	files := []file{{"report.json", r.writeJSON}, {"rows.csv", r.Comparison.writeCSV}}
	if r.Story != nil {
		files = append(files, file{"requests.csv", r.Story.Result.writeCSV}, file{"trace.json", r.Story.Result.writeTrace},
			file{"latency.svg", r.Story.Result.writePlot})
	}
	var names []string
	for _, f := range files {
		name := filepath.Join(dir, f.name)
		if err := writeFile(name, f.write); err != nil {
			return names, fmt.Errorf("write report: %w", err)
		}
		names = append(names, name)
	}
	return names, nil
}

func writeFile(name string, write func(io.Writer) error) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	return write(f)
}

func (r *Report) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

func (c *Comparison) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	rows := [][]string{{
		"name", "plan", "failure", "predicted_ms", "simulated_ms", "half_interval_ms", "measured_ms", "p90_ms", "p99_ms", "per_second",
		"bytes", "stages", "requests", "failed",
	}}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 8, 64) }
	for _, r := range c.Rows {
		rows = append(rows, []string{
			r.Name, r.Plan, r.Failure, number(r.PredictedMS), number(r.SimulatedMS), number(r.HalfMS), number(r.MeasuredMS), number(r.P90MS),
			number(r.P99MS), number(r.PerSecond), strconv.FormatInt(r.Bytes, 10), strconv.Itoa(r.Stages),
			strconv.Itoa(r.Requests), strconv.Itoa(r.Failed),
		})
	}
	return out.WriteAll(rows)
}

func (r *Result) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"request", "arrived_ms", "latency_ms", "failure", "bytes", "epochs", "plan"}}
	number := func(d time.Duration) string { return strconv.FormatFloat(ms(d), 'f', 6, 64) }
	for _, q := range r.Requests {
		rows = append(rows, []string{
			strconv.Itoa(q.ID), number(q.Arrived), number(q.Latency), q.Failure, strconv.FormatInt(q.Bytes, 10),
			strconv.Itoa(q.Epochs), q.Plan,
		})
	}
	return out.WriteAll(rows)
}

// traceEvent is one entry of the Trace Event Format, which Perfetto and Chrome read: a complete event ("X"), an instant
// ("i") or a name ("M").
type traceEvent struct {
	Name  string            `json:"name"`
	Phase string            `json:"ph"`
	PID   int               `json:"pid"`
	TID   int               `json:"tid"`
	TS    float64           `json:"ts"`            // microseconds
	Dur   float64           `json:"dur,omitempty"` // microseconds
	Scope string            `json:"s,omitempty"`
	Args  map[string]string `json:"args,omitempty"`
}

// writeTrace writes the spans with a track for each machine and path, and the switches as instants.
func (r *Result) writeTrace(w io.Writer) error {
	micros := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	tracks := map[string]int{}
	var events []traceEvent
	track := func(name string) int {
		if _, ok := tracks[name]; !ok {
			tracks[name] = len(tracks) + 1
			events = append(events, traceEvent{
				Name: "thread_name", Phase: "M", PID: 1, TID: tracks[name], Args: map[string]string{"name": name},
			})
		}
		return tracks[name]
	}
	for _, s := range r.Spans {
		events = append(events, traceEvent{
			Name: s.Name, Phase: "X", PID: 1, TID: track(s.Track), TS: micros(s.Start), Dur: micros(s.End - s.Start),
			Args: map[string]string{"request": strconv.Itoa(s.Request)},
		})
	}
	for _, q := range r.Requests {
		args := map[string]string{"plan": q.Plan, "epochs": strconv.Itoa(q.Epochs)}
		if q.Failure != "" {
			args["failure"] = q.Failure
		}
		events = append(events, traceEvent{
			Name: "request " + strconv.Itoa(q.ID), Phase: "X", PID: 1, TID: track("requests"),
			TS: micros(q.Arrived), Dur: micros(q.Latency), Args: args,
		})
	}
	for _, s := range r.Switches {
		events = append(events, traceEvent{Name: s.What, Phase: "i", PID: 1, TID: track("events"), TS: micros(s.At), Scope: "g"})
	}
	return json.NewEncoder(w).Encode(map[string]any{"traceEvents": events, "displayTimeUnit": "ms"})
}
