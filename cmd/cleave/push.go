package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cleave-mesh/cleave/node/client"
)

func newPush() *cobra.Command {
	var api apiFlags
	var name string
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
			if name == "" {
				name = modelName(args[0])
			}
			body := &progressReader{r: file, line: newProgress(cmd.ErrOrStderr()), what: name, size: info.Size()}
			m, err := api.client().Push(cmd.Context(), name, body, opts)
			if err != nil {
				return err
			}
			if api.json {
				return writeJSON(cmd.OutOrStdout(), m)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "pushed %s, %.1f MB, sha256 %s\n", m.Name, float64(m.Size)/1e6, m.Digest)
			return nil
		},
	}
	api.register(cmd)
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "name of the model in the mesh (default the file's or, for model.onnx, its folder's)")
	f.BoolVar(&opts.Local, "local", false, "tell the members by gossip only, not at once")
	f.StringVar(&opts.Image, "image", "", `the input is a picture that may travel as JPEG or PNG: how its elements map to pixels,
such as scale=127.5,offset=-1,order=bgr; scale=1 for pixels as they are`)
	return cmd
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
