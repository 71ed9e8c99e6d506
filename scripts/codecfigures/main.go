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

// visionModels are the shared models that take pictures and have trained weights, with how a pixel becomes their input.
var visionModels = []struct{ name, pixels string }{
	{"blazeface-front", "scale=127.5,offset=-1"},
	{"mlsd-320-tiny", ""},
	{"mobilenetv2-int8", "scale=127.5,offset=-1"},
	{"ppocr-v2-cls", "scale=127.5,offset=-1,order=bgr"},
	{"ppocr-v4-det", ""},
	{"resnet8-cifar10", ""},
	{"selfie-segmentation", "scale=255"},
	{"style-candy", ""},
	{"ultraface-rfb-320", "scale=128,offset=-0.9921875"},
	{"vww-96", "scale=255"},
	{"yolox-nano", "order=bgr"},
	{"yunet", "order=bgr"},
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
	calibrated := flag.String("calibrated", "", "folder of files that cleave calibrate wrote, to draw rate against agreement")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *models, *out, *calibrated, *light, *maxCuts); err != nil {
		fmt.Fprintln(os.Stderr, "codecfigures:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, models, out, calibrated string, light bool, maxCuts int) error {
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
		names := make([]string, 0, len(visionModels))
		for _, m := range visionModels {
			names = append(names, m.name)
		}
		if err := rates(ctx, to, models, out, "vision models with trained weights", names, maxCuts); err != nil {
			return err
		}
		if light {
			if err := rates(ctx, to, models, "", "models with constant weights", lightModels, maxCuts); err != nil {
				return err
			}
		}
	}
	if calibrated != "" {
		if err := agreements(to, calibrated, out); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(out, "figures.md"), []byte(report.String()), 0o644)
}
