package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/cleave-mesh/cleave/codec/calibrate"
)

// wanted is the share of answers that must stay.
const wanted = 0.99

// agreements prints, for each calibrated model, the fewest bits per element at which the answers stay, and draws the
// curve of bits against agreement.
func agreements(w io.Writer, dir, title, picture string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "## Answers on %s\n\nThe fewest bits per element at which at least 99 %% of the answers on the judging samples stay: of the codecs tried, per cut, steps of values that cross together in proportion to the square root of their size.\n\n", title)
	fmt.Fprintf(w, "| model | task | judged | answers | cuts | median bits | cuts without |\n|---|---|---:|---:|---:|---:|---:|\n")
	var all []float64
	var series []line
	for _, path := range files {
		f, err := calibrate.Load(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		var best []float64
		without, answers := 0, 0
		for _, c := range f.Cuts {
			bits := 0.0
			if len(c.Points) > 0 {
				answers = c.Points[0].Effect.Answers // of the codec nearest to exact: coarse ones may add wrong boxes
			}
			for _, p := range c.Points {
				if p.Effect.Agreement >= wanted && (bits == 0 || p.Bits < bits) {
					bits = p.Bits
				}
			}
			if bits == 0 {
				without++
				continue
			}
			best = append(best, bits)
		}
		all = append(all, best...)
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		fmt.Fprintf(w, "| %s | %s | %d | %d | %d | %.2f | %d |\n", name, f.Task, f.Judged, answers, len(f.Cuts), median(best), without)
		series = append(series, curve(name, f))
	}
	fmt.Fprintf(w, "\nMedian over all %d cuts: **%.2f bits per element**.\n\n", len(all), median(all))
	return plotLines(picture, "Bits per element and answers that stay on "+title, "bits per element", "share of answers that stay", series)
}

// curve is a model's medians over the cuts for each rung of the uniform codec.
func curve(name string, f *calibrate.File) line {
	l := line{label: name}
	rungs := map[int][2][]float64{}
	most := 0
	for _, c := range f.Cuts {
		for i, p := range c.Points {
			if strings.HasPrefix(p.Codec, "uniform") {
				r := rungs[i]
				r[0], r[1] = append(r[0], p.Bits), append(r[1], p.Effect.Agreement)
				rungs[i] = r
				most = max(most, i)
			}
		}
	}
	for i := range most + 1 {
		if r, ok := rungs[i]; ok {
			l.points = append(l.points, point{x: median(r[0]), y: mean(r[1])})
		}
	}
	return l
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
