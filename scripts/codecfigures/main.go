// Command codecfigures measures the codecs on the activations that cross the cuts of the shared vision models, beside
// zstd, s2 and lz4 on the same bytes in the same run, and writes the tables and plots of docs/codecs.md.
//
// Times are processor time of one thread, so that other work on the machine does not count.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// visionModels are the shared models that take pictures and have trained weights.
var visionModels = []string{
	"blazeface-front", "mlsd-320-tiny", "mobilenetv2-int8", "ppocr-v2-cls", "ppocr-v4-det", "resnet8-cifar10", "selfie-segmentation",
	"style-candy", "ultraface-rfb-320", "vww-96", "yolox-nano", "yunet",
}

// lightModels have the structure of known models and constant weights.
var lightModels = []string{
	"light-alexnet", "light-densenet121", "light-inception-v1", "light-resnet50", "light-shufflenet", "light-squeezenet", "light-vgg19",
}

func main() {
	models := flag.String("models", "", "folder of the shared models")
	out := flag.String("out", "docs/codecs", "folder for tables and plots")
	light := flag.Bool("light", false, "also measure the models with constant weights")
	maxCuts := flag.Int("cuts", 24, "most cuts of a model, evenly spread; 0 means all")
	pictures := flag.String("pictures", "", "folder of files that cleave calibrate wrote, judged on whole pictures")
	crops := flag.String("crops", "", "folder of files that cleave calibrate wrote, judged on crops as well")
	inputs := flag.String("inputs", "", "folder of the pictures that were calibrated with, to name them")
	only := flag.Bool("answers", false, "print what calibration found, and measure nothing")
	onlyTransforms := flag.Bool("transforms", false, "print what a Hadamard transform in front of low-bit codecs does, and nothing else")
	flag.Parse()
	if *onlyTransforms {
		if err := transforms(context.Background(), os.Stdout, *models, *maxCuts); err != nil {
			fmt.Fprintln(os.Stderr, "codecfigures:", err)
			os.Exit(1)
		}
		return
	}
	err := error(nil)
	if !*only {
		err = run(context.Background(), os.Stdout, *models, *out, *light, *maxCuts)
	}
	if err == nil && *pictures+*crops != "" {
		err = answers(os.Stdout, *out, *inputs, *pictures, *crops)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "codecfigures:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, models, out string, light bool, maxCuts int) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var report strings.Builder
	to := io.MultiWriter(w, &report)
	fmt.Fprintf(to, "<!-- Written by scripts/bench-codec.sh. -->\n# Codec figures\n\n")
	if err := speeds(to); err != nil {
		return err
	}
	if models != "" {
		if err := rates(ctx, to, models, out, "vision models with trained weights", visionModels, maxCuts); err != nil {
			return err
		}
		if light {
			if err := rates(ctx, to, models, "", "models with constant weights", lightModels, maxCuts); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(filepath.Join(out, "figures.md"), []byte(report.String()), 0o644)
}
