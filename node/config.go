package node

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/cleave-mesh/cleave/internal/topology"
	"github.com/cleave-mesh/cleave/node/control"
	"github.com/cleave-mesh/cleave/planner"
)

// Default addresses.
const (
	DefaultListen = "127.0.0.1:25328" // udp, mesh
	DefaultAPI    = "127.0.0.1:25380" // tcp, HTTP
)

// Config describes a node. Flags and a YAML file of the same words fill it.
type Config struct {
	// Name is what people call the node; "" means the host's name.
	Name string `yaml:"name"`
	// Data is the data folder; "" means DefaultData.
	Data string `yaml:"data"`
	// Listen is the UDP address of the mesh, "host:port"; "" means DefaultListen.
	Listen string `yaml:"listen"`
	// API is the TCP address of the HTTP interface; "" means DefaultAPI, "off" means none. An address other than loopback
	// needs Key.
	API string `yaml:"api"`
	// Key is what callers of the HTTP interface send as "Authorization: Bearer KEY"; "" means that none is needed.
	Key string `yaml:"key"`
	// Join is a join token; "" means that the node is a member already, or founds a mesh of its own.
	Join string `yaml:"join"`
	// Seeds are addresses of members to look for at the start, beside those of the token and those met before.
	Seeds []string `yaml:"seeds"`
	// Relay makes this node a circuit relay, by which members behind NATs reach each other; for nodes that everyone can reach.
	Relay bool `yaml:"relay"`
	// Backends are the engines to use by name; empty means every one that the machine has.
	Backends []string `yaml:"backends"`
	// Threads is the cores that a stage may use; 0 means all, or one where a topology is emulated.
	Threads int `yaml:"threads"`
	// Memory is the most bytes of compiled stages, such as "512MiB"; "" means no limit.
	Memory string `yaml:"memory"`
	// Power is what the machine draws while computing, such as "15W"; "" means that energy is not counted.
	Power string `yaml:"power"`
	// Speed makes the node behave as a machine of this share of its real speed, in (0, 1]; 0 means 1.
	Speed float64 `yaml:"emulate-speed"`
	// Topology is a topology file whose links and speeds this node emulates, as the node called Name; "" means none.
	Topology string `yaml:"topology"`
	// Replan is the period of the control loop; 0 means a second.
	Replan time.Duration `yaml:"replan"`
	// Deadline is the time that a request has when it states none; 0 means DefaultDeadline.
	Deadline time.Duration `yaml:"deadline"`
	// MaxLoss is the most that the codecs of a plan may cost together in relative error; 0 means DefaultMaxLoss, negative
	// means lossless only.
	MaxLoss float64 `yaml:"max-loss"`
	// Agreement, in (0, 1], is the least share of answers that the codecs of a plan must keep by the model's calibration; it takes
	// the place of MaxLoss. 0 means that MaxLoss counts.
	Agreement float64 `yaml:"agreement"`
	// MaxRequests is how many requests this node enters at a time, beyond which it answers 503; 0 means 64.
	MaxRequests int `yaml:"max-requests"`
	// Debug writes more to the log.
	Debug bool `yaml:"debug"`

	// slowSearch is how long a search takes for its plan to get a path table; 0 means defaultSlowSearch. For tests, as are paths
	// and steer.
	slowSearch time.Duration
	// paths, when not nil, takes the place of what is measured between nodes.
	paths func() planner.Path
	// steer sets when a better plan replaces the one in force.
	steer control.Config

	// Log receives the daemon's log; nil means silence.
	Log *slog.Logger `yaml:"-"`
}

// Defaults of a Config.
const (
	DefaultDeadline = 30 * time.Second
	DefaultMaxLoss  = 0.05
	defaultReplan   = time.Second
	defaultRequests = 64
	// maxConfig is the most bytes of a configuration file.
	maxConfig = 1 << 20
)

// ErrConfig is wrapped by every error about a configuration; the error says which field and what to write instead.
var ErrConfig = errors.New("bad configuration")

// LoadConfig reads a YAML file. Unknown fields are errors.
func LoadConfig(path string) (Config, error) {
	var c Config
	info, err := os.Stat(path)
	if err != nil {
		return c, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if info.Size() > maxConfig {
		return c, fmt.Errorf("%w: %s has %d bytes, limit %d", ErrConfig, path, info.Size(), maxConfig)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := yaml.UnmarshalWithOptions(b, &c, yaml.Strict()); err != nil {
		return c, fmt.Errorf("%w: %s: %w", ErrConfig, path, err)
	}
	return c, nil
}

// DefaultData is the data folder of a node that names none: $XDG_DATA_HOME/cleave, else ~/.local/share/cleave.
func DefaultData() (string, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "cleave"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("%w: no home folder (%w): name a data folder with --data", ErrConfig, err)
	}
	return filepath.Join(home, ".local", "share", "cleave"), nil
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// settings is a Config with every default filled in and every quantity read.
type settings struct {
	Config
	topo   *topology.Topology // nil when nothing is emulated
	memory int64              // bytes; 0 means no limit
	power  float64            // watts
}

// resolve checks c and fills in its defaults.
func (c Config) resolve() (*settings, error) {
	s := &settings{Config: c}
	if s.Name == "" {
		host, err := os.Hostname()
		if err != nil || !namePattern.MatchString(host) {
			host = "node"
		}
		s.Name = host
	}
	if !namePattern.MatchString(s.Name) {
		return nil, fmt.Errorf("%w: name %q: use letters, digits, '.', '_' and '-', at most 63", ErrConfig, s.Name)
	}
	var err error
	if s.Data == "" {
		if s.Data, err = DefaultData(); err != nil {
			return nil, err
		}
	}
	if s.Topology != "" {
		if err := s.readTopology(); err != nil {
			return nil, err
		}
	}
	if s.Speed == 0 {
		s.Speed = 1
	}
	if !(s.Speed > 0 && s.Speed <= 1) {
		return nil, fmt.Errorf("%w: emulate-speed %g: write a share of this machine's speed above 0, at most 1", ErrConfig, s.Speed)
	}
	if s.Memory != "" {
		b, err := topology.ParseBytes(s.Memory)
		if err != nil {
			return nil, fmt.Errorf("%w: memory: %w", ErrConfig, err)
		}
		s.memory = int64(b)
	}
	if s.Power != "" {
		w, err := topology.ParseWatts(s.Power)
		if err != nil {
			return nil, fmt.Errorf("%w: power: %w", ErrConfig, err)
		}
		s.power = float64(w)
	}
	s.Listen = orElse(s.Listen, DefaultListen)
	s.API = orElse(s.API, DefaultAPI)
	s.Replan = orElse(s.Replan, defaultReplan)
	s.Deadline = orElse(s.Deadline, DefaultDeadline)
	s.MaxLoss = orElse(s.MaxLoss, DefaultMaxLoss)
	s.slowSearch = orElse(s.slowSearch, defaultSlowSearch)
	s.MaxRequests = orElse(s.MaxRequests, defaultRequests)
	if s.Threads < 0 || s.Replan < 0 || s.Deadline < 0 || s.MaxRequests < 0 {
		return nil, fmt.Errorf("%w: threads, replan, deadline and max-requests cannot be negative", ErrConfig)
	}
	if !(s.Agreement >= 0 && s.Agreement <= 1) {
		return nil, fmt.Errorf("%w: agreement %g: write a share of answers in (0, 1]", ErrConfig, s.Agreement)
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	return s, s.checkAPI()
}

func orElse[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// checkAPI refuses an interface that strangers could reach without a key.
func (s *settings) checkAPI() error {
	if s.API == "off" {
		return nil
	}
	host, _, err := net.SplitHostPort(s.API)
	if err != nil {
		return fmt.Errorf("%w: api %q: write host:port, such as %s, or off", ErrConfig, s.API, DefaultAPI)
	}
	ip := net.ParseIP(host)
	if loopback := host == "localhost" || ip != nil && ip.IsLoopback(); !loopback && s.Key == "" {
		return fmt.Errorf("%w: api %s is reachable from other machines: set a key (--key) that callers must send, or listen on %s",
			ErrConfig, s.API, DefaultAPI)
	}
	return nil
}

func (s *settings) readTopology() error {
	t, err := topology.Load(s.Topology)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: topology file %s does not exist", ErrConfig, s.Topology)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	n, ok := t.Node(s.Name)
	if !ok {
		return fmt.Errorf("%w: %s has no node %q: name one of its nodes with --name", ErrConfig, s.Topology, s.Name)
	}
	s.topo = t
	s.Speed = orElse(s.Speed, n.Speed)
	if s.Memory == "" {
		s.memory = int64(n.Memory)
	}
	s.Threads = orElse(s.Threads, 1) // emulated machines share the cores of their host
	if s.Power == "" {
		s.power = float64(n.Power)
	}
	if len(s.Backends) == 0 {
		s.Backends = n.Backends
	}
	return nil
}
