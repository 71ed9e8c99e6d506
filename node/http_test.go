package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/oip"
)

// call makes a raw HTTP request and gives status, header and body.
func call(t *testing.T, n *Node, method, path, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+n.API()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(b)
}

// inferBody is a request for the test model in JSON.
func inferBody(t *testing.T, in *tensor.Tensor, extra string) string {
	t.Helper()
	data, err := json.Marshal(tensor.Data[float32](in))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"id":"q1",%s"inputs":[{"name":"input:0","shape":[1,128,128,3],"datatype":"FP32","data":%s}]}`, extra, data)
}

func TestOpenInferenceProtocol(t *testing.T) {
	n := testNode(t, "alone", nil)
	c := testClient(t, n)
	pushModel(t, c, 1)
	inputs, want := local(t)
	in := inputs["input:0"]

	t.Run("health and metadata", func(t *testing.T) {
		for _, tt := range []struct {
			path   string
			status int
			parts  []string
		}{
			{"/v2", 200, []string{`"name":"cleave"`, `"version"`, `"binary_tensor_data"`}},
			{"/v2/", 200, []string{`"name":"cleave"`}},
			{"/v2/health/live", 200, []string{`"live":true`}},
			{"/v2/health/ready", 200, []string{`"live":true`}}, // the protocol's own name for it
			{"/healthz", 200, nil},
			{"/readyz", 200, nil},
			{"/v2/models/faces", 200, []string{`"platform":"onnx"`, `"name":"input:0"`, `"datatype":"FP32"`, `[1,128,128,3]`, `"versions":["1"]`}},
			{"/v2/models/faces/versions/1", 200, []string{`"name":"faces"`}},
			{"/v2/models/faces/versions/2", 404, []string{`"error"`, "2"}},
			{"/v2/models/faces/ready", 200, []string{`"ready":true`}},
			{"/v2/models/faces/versions/1/ready", 200, nil},
			{"/v2/models/nobody", 404, []string{`"error"`, "nobody"}},
			{"/v2/models/nobody/ready", 404, []string{`"error"`}},
			{"/v3", 404, []string{`"error"`}},
			{"/metrics", 200, []string{"cleave_members", "cleave_requests_active 0"}},
		} {
			status, _, body := call(t, n, "GET", tt.path, "")
			if status != tt.status {
				t.Errorf("GET %s: %d %s", tt.path, status, body)
			}
			for _, p := range tt.parts {
				if !strings.Contains(body, p) {
					t.Errorf("GET %s: %q is not in %s", tt.path, p, body)
				}
			}
		}
		if status, _, body := call(t, n, "POST", "/v2/repository/index", "{}"); status != 200 || !strings.Contains(body, `"READY"`) {
			t.Errorf("repository index: %d %s", status, body)
		}
		if status, _, _ := call(t, n, "GET", "/v2/models/faces/infer", ""); status != 405 && status != 404 {
			t.Errorf("GET on infer: %d", status)
		}
	})
	t.Run("JSON", func(t *testing.T) {
		status, _, body := call(t, n, "POST", "/v2/models/faces/versions/1/infer", inferBody(t, in, ""))
		if status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		r, err := oip.DecodeResponse([]byte(body), "")
		if err != nil {
			t.Fatal(err)
		}
		if r.ID != "q1" || r.ModelName != "faces" || r.ModelVersion != "1" || r.Report != nil {
			t.Errorf("response %+v", r)
		}
		got := map[string]*tensor.Tensor{}
		for _, o := range r.Outputs {
			got[o.Name] = o.Value
		}
		sameOutputs(t, want, got)
	})
	t.Run("outputs as asked for", func(t *testing.T) {
		status, header, body := call(t, n, "POST", "/v2/models/faces/infer",
			inferBody(t, in, `"parameters":{"binary_data_output":true},"outputs":[{"name":"Identity_1:0"},{"name":"Identity:0","parameters":{"binary_data":false}}],`))
		if status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		r, err := oip.DecodeResponse([]byte(body), header.Get(oip.HeaderLength))
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Outputs) != 2 || r.Outputs[0].Name != "Identity_1:0" || r.Outputs[0].Parameters["binary_data_size"] == nil || r.Outputs[1].Parameters["binary_data_size"] != nil {
			t.Errorf("outputs %+v", r.Outputs)
		}
		if !r.Outputs[0].Value.Equal(want["Identity_1:0"]) || !r.Outputs[1].Value.Equal(want["Identity:0"]) {
			t.Error("outputs differ from the local run")
		}
	})
	t.Run("refusals", func(t *testing.T) {
		for _, tt := range []struct {
			name, body string
			status     int
			part       string
		}{
			{"no JSON", "hello", 400, "malformed"},
			{"no inputs", `{"inputs":[]}`, 400, "no inputs"},
			{"wrong name", strings.Replace(inferBody(t, in, ""), "input:0", "picture", 1), 400, "input:0"},
			{"wrong shape", `{"inputs":[{"name":"input:0","shape":[1],"datatype":"FP32","data":[1]}]}`, 400, "1x128x128x3"},
			{"wrong type", `{"inputs":[{"name":"input:0","shape":[1],"datatype":"INT8","data":[1]}]}`, 400, "float32"},
			{"unknown output", inferBody(t, in, `"outputs":[{"name":"nose"}],`), 400, "nose"},
			{"unknown plan", inferBody(t, in, `"parameters":{"plan":"abc"},`), 404, "abc"},
			{"unknown strategy", inferBody(t, in, `"parameters":{"strategy":"magic"},`), 422, "magic"},
			{"bad deadline", inferBody(t, in, `"parameters":{"deadline_ms":-1},`), 400, "deadline"},
			{"past deadline", inferBody(t, in, `"parameters":{"deadline_ms":0.0001},`), 504, "deadline"},
		} {
			status, _, body := call(t, n, "POST", "/v2/models/faces/infer", tt.body)
			var e oip.Error
			if status != tt.status || json.Unmarshal([]byte(body), &e) != nil || !strings.Contains(e.Error, tt.part) {
				t.Errorf("%s: %d %s", tt.name, status, body)
			}
		}
		if status, _, body := call(t, n, "POST", "/v2/models/nobody/infer", inferBody(t, in, "")); status != 404 {
			t.Errorf("unknown model: %d %s", status, body)
		}
	})
	t.Run("only this machine without a key", func(t *testing.T) {
		for _, header := range [][]string{{"Host", "evil.example"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
			if status, _, body := call(t, n, "GET", "/cleave/v1/nodes", "", header...); status != 403 {
				t.Errorf("%v: %d %s", header, status, body)
			}
		}
		if status, _, _ := call(t, n, "GET", "/cleave/v1/nodes", "", "Origin", "http://localhost:3000"); status != 200 {
			t.Errorf("a local page is refused: %d", status)
		}
	})
	t.Run("curl", func(t *testing.T) {
		curl, err := exec.LookPath("curl")
		if err != nil {
			t.Skip("curl is not installed")
		}
		dir := t.TempDir()
		head := `{"inputs":[{"name":"input:0","shape":[1,128,128,3],"datatype":"FP32","parameters":{"binary_data_size":196608}}],"outputs":[{"name":"Identity:0","parameters":{"binary_data":true}}]}`
		if err := os.WriteFile(filepath.Join(dir, "body"), append([]byte(head), in.Bytes()...), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(curl, "-sS", "--fail-with-body", "-D", filepath.Join(dir, "head"), "-o", filepath.Join(dir, "out"),
			"-H", "Content-Type: application/octet-stream", "-H", oip.HeaderLength+": "+strconv.Itoa(len(head)),
			"--data-binary", "@"+filepath.Join(dir, "body"), "http://"+n.API()+"/v2/models/faces/infer")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		out, err := os.ReadFile(filepath.Join(dir, "out"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasSuffix(out, want["Identity:0"].Bytes()) {
			t.Error("the raw output differs from the local run")
		}
		headers, err := os.ReadFile(filepath.Join(dir, "head"))
		if err != nil || !strings.Contains(strings.ToLower(string(headers)), strings.ToLower(oip.HeaderLength)+": "+strconv.Itoa(len(out)-len(want["Identity:0"].Bytes()))) {
			t.Errorf("headers %s, %v", headers, err)
		}
	})
}

func TestKeyGuardsTheInterface(t *testing.T) {
	n := testNode(t, "guarded", func(c *Config) { c.API, c.Key = "0.0.0.0:0", "secret" })
	_, port, err := net.SplitHostPort(n.API())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path, auth string
		status     int
	}{
		{"/cleave/v1/nodes", "", 401},
		{"/cleave/v1/nodes", "Bearer wrong", 401},
		{"/cleave/v1/nodes", "Bearer secret", 200},
		{"/v2/models/x/infer", "", 401},
		{"/metrics", "", 401},
		{"/healthz", "", 200},
		{"/v2/health/ready", "", 200},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://127.0.0.1:"+port+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.auth != "" {
			req.Header.Set("Authorization", tt.auth)
		}
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != tt.status {
			t.Errorf("%s with %q: %d, want %d", tt.path, tt.auth, res.StatusCode, tt.status)
		}
	}
	c := client.New("127.0.0.1:"+port, "secret")
	defer c.Close()
	if _, err := c.Nodes(t.Context()); err != nil {
		t.Error(err)
	}
}
