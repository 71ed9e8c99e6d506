package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cleave-mesh/cleave/codec/calibrate"
)

// goal is what must become of the answers.
var goal = calibrate.Goal{Agreement: 0.99}

// answers prints and writes what calibration found about the models' answers.
func answers(w io.Writer, out, inputs, pictures, crops string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var report strings.Builder
	to := io.MultiWriter(w, &report)
	fmt.Fprintf(to, "<!-- Written by scripts/bench-codec.sh. -->\n# Bits per element at which the answers stay\n\n")
	if err := namePictures(to, inputs); err != nil {
		return err
	}
	fmt.Fprintf(to, "Per cut: the fewest bits per element, of the codecs of the ladder, at which at least %g %% of the answers on the judging samples stay. The samples that fit the tables, and choose how they treat channels, are others; that the choice among the ladder is made on the judging samples flatters it a little, the more the fewer they are.\n\n", 100*goal.Agreement)
	for _, set := range []struct{ dir, title, plot string }{
		{pictures, "whole pictures", "rate-agreement-pictures.svg"}, {crops, "pictures and random crops of them", "rate-agreement-crops.svg"},
	} {
		if set.dir == "" {
			continue
		}
		if err := agreements(to, set.dir, set.title, filepath.Join(out, set.plot)); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(out, "answers.md"), []byte(report.String()), 0o644)
}

// namePictures lists the pictures of a folder.
func namePictures(w io.Writer, dir string) error {
	if dir == "" {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".png", ".jpg", ".jpeg":
			names = append(names, e.Name())
		}
	}
	_, err = fmt.Fprintf(w, "%d pictures: %s. Every model sees all of them, whatever it is for: of a page of text a face detector has nothing to say, and a classifier of animals guesses.\n\n", len(names), strings.Join(names, ", "))
	return err
}

// agreements prints, for each calibrated model, the fewest bits per element at which the answers stay, and draws the
// curve of bits against agreement.
func agreements(w io.Writer, dir, title, picture string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return nil
	}
	fmt.Fprintf(w, "## On %s\n\n", title)
	fmt.Fprintf(w, "| model | task | fitted | judged | answers | cuts | bits, median | least | most | at 1.5 bits | at 0.8 bits |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	var all []float64
	var series []line
	for _, path := range files {
		f, err := calibrate.Load(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		var best []float64
		count := 0
		for _, c := range f.Cuts {
			if len(c.Points) > 0 {
				count = c.Points[0].Effect.Answers // of the codec nearest to exact: coarse ones may add wrong boxes
			}
			bits := rawBits
			if p := goal.Choose(c.Points); p != nil {
				bits = p.Bits
			}
			best = append(best, bits)
		}
		all = append(all, best...)
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		fmt.Fprintf(w, "| %s | %s | %d | %d | %d | %d | %.2f | %.2f | %.2f | %s | %s |\n", name, f.Task, f.Fitted, f.Judged, count, len(f.Cuts),
			median(best), slices.Min(best), slices.Max(best), within(best, 1.5), within(best, 0.8))
		series = append(series, curve(name, f))
	}
	fmt.Fprintf(w, "\nMedian over all %d cuts of %d models: **%.2f bits per element**; %s of the cuts need at most 1.5, %s at most 0.8.\n\n",
		len(all), len(files), median(all), within(all, 1.5), within(all, 0.8))
	if err := flips(w, files); err != nil {
		return err
	}
	return plotLines(picture, "Bits per element and answers that stay on "+title, "bits per element", "share of answers that stay", series)
}

// rawBits is what an element takes where no codec keeps the answers.
const rawBits = 32.0

// within is the share of cuts that need at most so many bits.
func within(bits []float64, most float64) string {
	n := 0
	for _, b := range bits {
		if b <= most {
			n++
		}
	}
	return fmt.Sprintf("%.0f %%", 100*float64(n)/float64(len(bits)))
}

// flips prints, for the rungs of the ladder, how many answers change: over all cuts of all models together.
func flips(w io.Writer, files []string) error {
	type sum struct {
		bits                            []float64
		same, answers                   float64
		flipped, judged, clean, atLeast int
	}
	byRung := map[int]*sum{}
	var names []string
	for _, path := range files {
		f, err := calibrate.Load(path)
		if err != nil {
			return err
		}
		for _, c := range f.Cuts {
			for i, p := range c.Points {
				s := byRung[i]
				if s == nil {
					s = &sum{}
					byRung[i] = s
				}
				s.bits = append(s.bits, p.Bits)
				s.same += p.Effect.Agreement * float64(p.Effect.Answers)
				s.answers += float64(p.Effect.Answers)
				s.flipped += p.Effect.Flips
				s.judged += f.Judged
				s.atLeast++
				if p.Effect.Agreement >= goal.Agreement {
					s.clean++
				}
				if i == len(names) {
					names = append(names, rungName(p.Codec, i))
				}
			}
		}
	}
	fmt.Fprintf(w, "One codec for every cut, all cuts of all models together:\n\n| codec | bits, median | answers that stay | samples that flip | cuts at 99 %% |\n|---|---:|---:|---:|---:|\n")
	for i := range len(names) {
		s := byRung[i]
		fmt.Fprintf(w, "| %s | %.2f | %.1f %% of %.0f | %d of %d | %d of %d |\n", names[i], median(s.bits), 100*s.same/max(s.answers, 1), s.answers, s.flipped, s.judged, s.clean, s.atLeast)
	}
	_, err := fmt.Fprintln(w)
	return err
}

// ladder is the codecs that the script calibrates with.
var ladder = calibrate.DefaultLadder()

// rungName is the codec of the ladder that a point stands for: tables hide the step that they were fitted at.
func rungName(spec string, rung int) string {
	if strings.Contains(spec, "table=") && rung < len(ladder) {
		return ladder[rung].String()
	}
	return spec
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
