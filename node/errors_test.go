package node

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// startFails starts a node that cannot start and checks that the error is one line with every part.
func startFails(t *testing.T, cfg Config, parts ...string) {
	t.Helper()
	if cfg.Data == "" {
		cfg.Data = filepath.Join(t.TempDir(), "data")
	}
	cfg.Name = orElse(cfg.Name, "broken")
	cfg.Listen, cfg.API = orElse(cfg.Listen, "127.0.0.1:0"), orElse(cfg.API, "127.0.0.1:0")
	n, err := Start(t.Context(), cfg)
	if err == nil {
		n.Close()
		t.Fatal("the node started")
	}
	oneLine(t, err, parts...)
}

func oneLine(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has several lines: %v", err)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("the error does not say %q: %v", p, err)
		}
	}
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	notAFolder := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notAFolder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	running := testNode(t, "running", nil)
	good := testToken(t, running, 1)
	topo := filepath.Join(t.TempDir(), "t.yaml")
	if err := os.WriteFile(topo, []byte("nodes: [{name: a}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		cfg   Config
		parts []string
	}{
		{"API port in use", Config{API: tcp.Addr().String()}, []string{tcp.Addr().String(), "in use", "--api"}},
		{"mesh port in use", Config{Listen: udp.LocalAddr().String()}, []string{udp.LocalAddr().String(), "in use", "--listen"}},
		{"data folder in use", Config{Data: running.set.Data}, []string{running.set.Data, "in use", "--data"}},
		{"data folder is a file", Config{Data: notAFolder}, []string{notAFolder}},
		{"malformed token", Config{Join: "cleave-nonsense"}, []string{"join token", "cleave token"}},
		{"token of another text", Config{Join: "hello"}, []string{"join token", "cleave token"}},
		{"changed token", Config{Join: flip(good)}, []string{"token"}},
		{"open interface without a key", Config{API: "0.0.0.0:0"}, []string{"0.0.0.0:0", "--key", DefaultAPI}},
		{"bad interface address", Config{API: "nowhere"}, []string{"nowhere", "host:port"}},
		{"speed", Config{Speed: 2}, []string{"emulate-speed", "2"}},
		{"memory", Config{Memory: "lots"}, []string{"memory", "lots"}},
		{"name", Config{Name: "a b"}, []string{"name", "a b"}},
		{"topology without the node", Config{Topology: topo, Name: "b"}, []string{topo, `"b"`, "--name"}},
		{"no topology file", Config{Topology: topo + "x"}, []string{topo + "x", "does not exist"}},
		{"unknown backend", Config{Backends: []string{"abacus"}}, []string{"abacus"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { startFails(t, tt.cfg, tt.parts...) })
	}
}

// flip changes the token's MAC and leaves its form.
func flip(token string) string {
	i := len(token) - 40
	c := byte('A')
	if token[i] == c {
		c = 'B'
	}
	return token[:i] + string(c) + token[i+1:]
}

func TestSpentTokenIsRefused(t *testing.T) {
	authority := testNode(t, "authority", nil)
	token := testToken(t, authority, 1)
	testNode(t, "first", func(c *Config) { c.Join = token })
	startFails(t, Config{Name: "second", Join: token}, "token", "cleave token")
}

// unknownOp is a model of one op that does not exist.
func unknownOp(t *testing.T) []byte {
	t.Helper()
	b := split.NewBuilder("strange", 17)
	f := split.Type{DType: tensor.Float32, Shape: tensor.Shape{1, 4}}
	in := b.Input("x", f)
	out := b.Value("y", f)
	b.Add(split.Op{Name: "odd", Type: "Frobnicate", Inputs: []split.ValueID{in}, Outputs: []split.ValueID{out}})
	b.Output(out)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	model, err := onnx.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	return model
}

func TestPushSaysWhatIsWrong(t *testing.T) {
	n := testNode(t, "alone", nil)
	c := testClient(t, n)
	whole, err := os.ReadFile(testModel)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, model string
		data        []byte
		parts       []string
	}{
		{"not a model", "junk", []byte("this is no model"), []string{"ONNX"}},
		{"empty", "empty", nil, []string{"ONNX"}},
		{"cut off", "cut", whole[:len(whole)/2], []string{"ONNX"}},
		{"unknown op", "odd", unknownOp(t), []string{"Frobnicate", "odd"}},
		{"bad name", "a name", whole, []string{"a name", "letters"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := c.Push(t.Context(), tt.model, bytes.NewReader(tt.data), client.PushOptions{})
			oneLine(t, err, tt.parts...)
		})
	}
	m, err := c.Models(t.Context())
	if err != nil || len(m.Models) != 0 {
		t.Errorf("models %+v, %v: what was refused left something behind", m, err)
	}
	left, err := filepath.Glob(filepath.Join(n.set.Data, "models", "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("files %v, %v: what was refused left something behind", left, err)
	}
}

func TestRequestsSayWhatIsWrong(t *testing.T) {
	n := testNode(t, "alone", nil)
	c := testClient(t, n)
	pushModel(t, c, 1)
	ctx := context.Background()
	_, err := c.Plan(ctx, client.PlanRequest{Model: "nobody"})
	oneLine(t, err, "nobody")
	_, err = c.Plan(ctx, client.PlanRequest{Model: "faces", Strategy: "magic"})
	oneLine(t, err, "magic", client.DeviceOnly)
	_, err = c.Plan(ctx, client.PlanRequest{Model: "faces", Planner: "oracle"})
	oneLine(t, err, "oracle")
	_, err = c.Plan(ctx, client.PlanRequest{Model: "faces", Objective: "fame"})
	oneLine(t, err, "fame")
	_, err = c.Plan(ctx, client.PlanRequest{Model: "faces", Via: []string{"mars"}})
	oneLine(t, err, "mars")
	err = c.SetLink(ctx, client.Link{To: "edge", Mbps: 1})
	oneLine(t, err, "--topology")
	_, err = c.Pull(ctx, "nobody")
	oneLine(t, err, "nobody")
	err = c.Remove(ctx, "nobody")
	oneLine(t, err, "nobody")
	_, err = c.Infer(ctx, client.InferRequest{Model: "faces", Inputs: map[string]*tensor.Tensor{"x": tensor.Of(tensor.Float32, tensor.Shape{1}, float32(1))}})
	oneLine(t, err, "input")
	_, err = client.New("127.0.0.1:1", "").Nodes(ctx)
	oneLine(t, err, "cleave node", "--api")
}
