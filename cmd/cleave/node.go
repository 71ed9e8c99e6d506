package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cleave-mesh/cleave/node"
)

func newNode() *cobra.Command {
	var cfg node.Config
	var file, supervised, logFormat string
	var init bool
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Run a node of the mesh on this machine",
		Long: `Run a node of the mesh on this machine until it is interrupted.

The first node founds a mesh and is its authority: "cleave token" there prints what "cleave node --join" takes elsewhere.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			merged, err := mergeConfig(cmd, file, cfg)
			if err != nil {
				return err
			}
			if init && merged.Join != "" {
				return fmt.Errorf("--init founds a mesh and --join joins one: give one of them")
			}
			merged.Log = logger(cmd.ErrOrStderr(), logFormat, merged.Debug)
			return runNode(cmd.Context(), cmd.ErrOrStderr(), merged, supervised)
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "config", "", "YAML file with the same words as these flags; flags win")
	f.StringVar(&cfg.Name, "name", "", "what people call this node (default the host's name)")
	f.StringVar(&cfg.Data, "data", "", "data folder (default ~/.local/share/cleave)")
	f.StringVar(&cfg.Listen, "listen", "", "UDP address of the mesh (default "+node.DefaultListen+")")
	f.StringVar(&cfg.API, "api", "", "TCP address of the HTTP interface, or off (default "+node.DefaultAPI+")")
	f.StringVar(&cfg.Key, "key", "", "key that callers of the HTTP interface must send; needed beyond loopback (default $CLEAVE_KEY)")
	f.StringVar(&cfg.Join, "join", "", "join token of the mesh to join")
	f.BoolVar(&init, "init", false, "found a mesh (what a new node without --join does anyway)")
	f.StringSliceVar(&cfg.Seeds, "seed", nil, "member to look for at the start, PEER@host:port; may be repeated")
	f.BoolVar(&cfg.Relay, "relay", false, "be a circuit relay for members behind NATs, and help them to punch holes; for a node that everyone can reach")
	f.StringSliceVar(&cfg.Backends, "backend", nil, "engine to use; may be repeated (default every one that is found)")
	f.IntVar(&cfg.Threads, "threads", 0, "cores that a stage may use (default all)")
	f.StringVar(&cfg.Memory, "memory", "", "most memory of compiled stages, such as 512MiB (default no limit)")
	f.StringVar(&cfg.Power, "power", "", "what the machine draws while it computes, such as 15W (default not counted)")
	f.Float64Var(&cfg.Speed, "emulate-speed", 0, "behave as a machine of this share of the real speed, such as 0.05 (default 1)")
	f.StringVar(&cfg.Topology, "topology", "", "emulate the links and the speed of the node --name in this topology file")
	f.DurationVar(&cfg.Deadline, "deadline", 0, "time that a request has when it states none (default 30s)")
	f.Float64Var(&cfg.MaxLoss, "max-loss", 0, "most relative error that the codecs of a plan may add up to; negative for lossless only (default 0.05)")
	f.Float64Var(&cfg.Agreement, "agreement", 0, "least share of answers that must stay by a model's calibration, such as 0.99; takes the place of --max-loss")
	f.BoolVar(&cfg.Debug, "debug", false, "log more")
	f.StringVar(&logFormat, "log-format", "text", "text or json")
	f.StringVar(&supervised, "supervised", "", "leave when standard input ends, and remove this folder then")
	if err := f.MarkHidden("supervised"); err != nil {
		panic(err) // the flag was defined a line above
	}
	return cmd
}

// mergeConfig lays the flags that were given over the file.
func mergeConfig(cmd *cobra.Command, file string, flags node.Config) (node.Config, error) {
	cfg := flags
	if file != "" {
		var err error
		if cfg, err = node.LoadConfig(file); err != nil {
			return cfg, err
		}
		for name, set := range map[string]func(){
			"name": func() { cfg.Name = flags.Name }, "data": func() { cfg.Data = flags.Data },
			"listen": func() { cfg.Listen = flags.Listen }, "api": func() { cfg.API = flags.API },
			"key": func() { cfg.Key = flags.Key }, "join": func() { cfg.Join = flags.Join },
			"seed": func() { cfg.Seeds = flags.Seeds }, "relay": func() { cfg.Relay = flags.Relay }, "backend": func() { cfg.Backends = flags.Backends },
			"threads": func() { cfg.Threads = flags.Threads }, "memory": func() { cfg.Memory = flags.Memory },
			"power": func() { cfg.Power = flags.Power }, "emulate-speed": func() { cfg.Speed = flags.Speed },
			"topology": func() { cfg.Topology = flags.Topology }, "deadline": func() { cfg.Deadline = flags.Deadline },
			"max-loss": func() { cfg.MaxLoss = flags.MaxLoss }, "agreement": func() { cfg.Agreement = flags.Agreement }, "debug": func() { cfg.Debug = flags.Debug },
		} {
			if cmd.Flags().Changed(name) {
				set()
			}
		}
	}
	if cfg.Key == "" {
		cfg.Key = os.Getenv("CLEAVE_KEY")
	}
	return cfg, nil
}

func logger(w io.Writer, format string, debug bool) *slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.LevelInfo}
	if debug {
		opts.Level = slog.LevelDebug
	}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// runNode runs a node until ctx ends or, when it is supervised, until standard input does.
func runNode(ctx context.Context, out io.Writer, cfg node.Config, supervised string) error {
	if supervised != "" {
		// A supervisor that was killed reads no more: without this, the next line of the log would end the node before it has
		// cleaned up.
		signal.Ignore(syscall.SIGPIPE)
		defer os.RemoveAll(supervised) // the supervisor removes it too
		var stop context.CancelFunc
		ctx, stop = context.WithCancel(ctx)
		defer stop()
		go func() { // ends with the process at the latest: a read of standard input cannot be interrupted
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}
	n, err := node.Start(ctx, cfg)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "node %s (%s) is up\n  mesh  %s (udp)\n", n.Name(), n.ID().Short(), strings.Join(n.Mesh(), ", "))
	if n.API() != "" {
		fmt.Fprintf(out, "  api   http://%s\n", n.API())
	}
	<-ctx.Done()
	begin := time.Now()
	err = n.Close()
	cfg.Log.Info("stopped", "after", time.Since(begin).Round(time.Millisecond))
	return err
}
