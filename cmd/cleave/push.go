package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cleave-mesh/cleave/codec/calibrate"
	"github.com/cleave-mesh/cleave/node/client"
)

func newPush() *cobra.Command {
	var api apiFlags
	var name, codecs string
	var opts client.PushOptions
	cmd := &cobra.Command{
		Use:   "push FILE.onnx",
		Short: "Give a model to the mesh: every member fetches and profiles it",
		Args:  oneArgument("push needs the path of a model: cleave push FILE.onnx"),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer file.Close()
			info, err := file.Stat()
			if err != nil {
				return err
			}
			if info.IsDir() {
				return fmt.Errorf("%s is a folder: name the .onnx file in it", args[0])
			}
			calibration, err := calibrationBeside(args[0], codecs)
			if err != nil {
				return err
			}
			if name == "" {
				name = modelName(args[0])
			}
			body := &progressReader{r: file, line: newProgress(cmd.ErrOrStderr()), what: name, size: info.Size()}
			m, err := api.client().Push(cmd.Context(), name, body, opts)
			if err != nil {
				return err
			}
			if m, err = pushCalibration(cmd.Context(), api.client(), m, calibration, opts.Local); err != nil {
				return err
			}
			if api.json {
				return writeJSON(cmd.OutOrStdout(), m)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "pushed %s, %.1f MB, sha256 %s\n", m.Name, float64(m.Size)/1e6, m.Digest)
			if m.Calibration != nil {
				fmt.Fprintf(cmd.OutOrStdout(), "with its calibration, sha256 %s\n", m.Calibration.Digest)
			}
			return nil
		},
	}
	api.register(cmd)
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "name of the model in the mesh (default the file's or, for model.onnx, its folder's)")
	f.StringVar(&codecs, "codecs", "", "calibration to give along; default FILE.onnx"+calibrate.Suffix+" where there is one, none to do without")
	f.BoolVar(&opts.Local, "local", false, "tell the members by gossip only, not at once")
	f.StringVar(&opts.Image, "image", "", `the input is a picture that may travel as JPEG or PNG: how its elements map to pixels,
such as scale=127.5,offset=-1,order=bgr; scale=1 for pixels as they are`)
	return cmd
}

// pushCalibration gives a model of the mesh its calibration; nil is none.
func pushCalibration(ctx context.Context, c *client.Client, m client.Model, file *calibrate.File, local bool) (client.Model, error) {
	if file == nil {
		return m, nil
	}
	var b bytes.Buffer
	if err := file.Write(&b); err != nil {
		return m, err
	}
	name := m.Name
	m, err := c.Calibrate(ctx, name, &b, local)
	if err != nil {
		return m, fmt.Errorf("the mesh has %s, without its calibration (--codecs none to be content with that): %w", name, err)
	}
	return m, nil
}

// modelName is what a model is called when the user gives no name.
func modelName(path string) string {
	base := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	if base == "model" {
		if abs, err := filepath.Abs(path); err == nil {
			base = filepath.Base(filepath.Dir(abs))
		}
	}
	return base
}

// progressReader shows on a terminal how much of r has been read.
type progressReader struct {
	r          io.Reader
	line       *progress
	what       string
	size, done int64
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.done += int64(n)
	p.line.show("pushing %s %3d%%", p.what, p.done*100/max(p.size, 1))
	if err != nil {
		p.line.clear()
	}
	return n, err
}
