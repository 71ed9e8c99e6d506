package node

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/cleave-mesh/cleave/internal/oippb"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/oip"
)

// grpcClient speaks gRPC over HTTP/2 without TLS, as stock clients do to a plain address.
func grpcClient(t *testing.T) *http.Client {
	t.Helper()
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// callGRPC calls one method of the inference service.
func callGRPC[Res, Req any](t *testing.T, addr, method string, m *Req, header ...string) (*Res, error) {
	t.Helper()
	c := connect.NewClient[Req, Res](grpcClient(t), "http://"+addr+"/inference.GRPCInferenceService/"+method, connect.WithGRPC())
	r := connect.NewRequest(m)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header().Set(header[i], header[i+1])
	}
	res, err := c.CallUnary(t.Context(), r)
	if err != nil {
		return nil, err
	}
	return res.Msg, nil
}

// inferMessage is a request for the test model.
func inferMessage(in *tensor.Tensor, raw bool) *oippb.ModelInferRequest {
	m := &oippb.ModelInferRequest{ModelName: "faces", Id: "q1", Inputs: []*oippb.ModelInferRequest_InferInputTensor{
		{Name: "input:0", Datatype: "FP32", Shape: []int64{1, 128, 128, 3}},
	}}
	if raw {
		m.RawInputContents = [][]byte{in.Bytes()}
	} else {
		m.Inputs[0].Contents = &oippb.InferTensorContents{Fp32Contents: tensor.Data[float32](in)}
	}
	return m
}

// outputsOf reads a response as tensors by name.
func outputsOf(t *testing.T, m *oippb.ModelInferResponse) map[string]*tensor.Tensor {
	t.Helper()
	out := map[string]*tensor.Tensor{}
	for i, o := range m.GetOutputs() {
		shape := make(tensor.Shape, len(o.GetShape()))
		for k, d := range o.GetShape() {
			shape[k] = int(d)
		}
		if len(m.GetRawOutputContents()) == 0 {
			out[o.GetName()] = tensor.Of(tensor.Float32, shape, o.GetContents().GetFp32Contents()...)
			continue
		}
		v, err := tensor.FromBytes(tensor.Float32, shape, m.GetRawOutputContents()[i])
		if err != nil {
			t.Fatal(err)
		}
		out[o.GetName()] = v
	}
	return out
}

func TestGRPC(t *testing.T) {
	n := testNode(t, "alone", nil)
	pushModel(t, testClient(t, n), 1)
	inputs, want := local(t)
	in := inputs["input:0"]

	t.Run("health and metadata", func(t *testing.T) {
		live, err := callGRPC[oippb.ServerLiveResponse](t, n.API(), "ServerLive", &oippb.ServerLiveRequest{})
		if err != nil || !live.Live {
			t.Errorf("live: %v %v", live, err)
		}
		ready, err := callGRPC[oippb.ServerReadyResponse](t, n.API(), "ServerReady", &oippb.ServerReadyRequest{})
		if err != nil || !ready.Ready {
			t.Errorf("ready: %v %v", ready, err)
		}
		server, err := callGRPC[oippb.ServerMetadataResponse](t, n.API(), "ServerMetadata", &oippb.ServerMetadataRequest{})
		if err != nil || server.Name != "cleave" || server.Version != Version {
			t.Errorf("server: %v %v", server, err)
		}
		model, err := callGRPC[oippb.ModelReadyResponse](t, n.API(), "ModelReady", &oippb.ModelReadyRequest{Name: "faces", Version: "1"})
		if err != nil || !model.Ready {
			t.Errorf("model: %v %v", model, err)
		}
		m, err := callGRPC[oippb.ModelMetadataResponse](t, n.API(), "ModelMetadata", &oippb.ModelMetadataRequest{Name: "faces"})
		if err != nil || m.Platform != "onnx" || len(m.Inputs) != 1 || m.Inputs[0].Name != "input:0" || m.Inputs[0].Shape[3] != 3 || len(m.Outputs) != len(want) {
			t.Errorf("metadata: %v %v", m, err)
		}
	})
	for _, raw := range []bool{false, true} {
		res, err := callGRPC[oippb.ModelInferResponse](t, n.API(), "ModelInfer", inferMessage(in, raw))
		if err != nil {
			t.Fatal(err)
		}
		if res.Id != "q1" || res.ModelName != "faces" || res.ModelVersion != "1" || (len(res.RawOutputContents) > 0) != raw {
			t.Errorf("raw %v: %s %s %s, %d raw outputs", raw, res.Id, res.ModelName, res.ModelVersion, len(res.RawOutputContents))
		}
		sameOutputs(t, want, outputsOf(t, res))
	}
	t.Run("one output and the report", func(t *testing.T) {
		m := inferMessage(in, true)
		m.Outputs = []*oippb.ModelInferRequest_InferRequestedOutputTensor{{Name: "Identity_1:0"}}
		m.Parameters = map[string]*oippb.InferParameter{"report": {ParameterChoice: &oippb.InferParameter_BoolParam{BoolParam: true}}}
		res, err := callGRPC[oippb.ModelInferResponse](t, n.API(), "ModelInfer", m)
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Outputs) != 1 || !outputsOf(t, res)["Identity_1:0"].Equal(want["Identity_1:0"]) {
			t.Error("the output differs from the local run")
		}
		if r := res.Parameters[oip.ReportParameter].GetStringParam(); !strings.Contains(r, `"session"`) {
			t.Errorf("report %q", r)
		}
	})
	t.Run("refusals", func(t *testing.T) {
		change := func(fn func(m *oippb.ModelInferRequest)) *oippb.ModelInferRequest {
			m := inferMessage(in, false)
			fn(m)
			return m
		}
		for _, tt := range []struct {
			name, part string
			code       connect.Code
			m          *oippb.ModelInferRequest
		}{
			{"no inputs", "no inputs", connect.CodeInvalidArgument, &oippb.ModelInferRequest{ModelName: "faces"}},
			{"wrong name", "input:0", connect.CodeInvalidArgument, change(func(m *oippb.ModelInferRequest) { m.Inputs[0].Name = "picture" })},
			{"unknown model", "nobody", connect.CodeNotFound, change(func(m *oippb.ModelInferRequest) { m.ModelName = "nobody" })},
			{"unknown version", "2", connect.CodeNotFound, change(func(m *oippb.ModelInferRequest) { m.ModelVersion = "2" })},
			{"unknown strategy", "magic", connect.CodeFailedPrecondition, change(func(m *oippb.ModelInferRequest) {
				m.Parameters = map[string]*oippb.InferParameter{"strategy": {ParameterChoice: &oippb.InferParameter_StringParam{StringParam: "magic"}}}
			})},
			{"past deadline", "deadline", connect.CodeDeadlineExceeded, change(func(m *oippb.ModelInferRequest) {
				m.Parameters = map[string]*oippb.InferParameter{"deadline_ms": {ParameterChoice: &oippb.InferParameter_DoubleParam{DoubleParam: 1e-4}}}
			})},
		} {
			_, err := callGRPC[oippb.ModelInferResponse](t, n.API(), "ModelInfer", tt.m)
			if connect.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.part) {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		if _, err := callGRPC[oippb.ServerLiveResponse](t, n.API(), "ModelTrain", &oippb.ServerLiveRequest{}); connect.CodeOf(err) != connect.CodeUnimplemented {
			t.Errorf("unknown method: %v", err)
		}
	})
	t.Run("the caller's own deadline", func(t *testing.T) {
		c := connect.NewClient[oippb.ModelInferRequest, oippb.ModelInferResponse](grpcClient(t), "http://"+n.API()+"/inference.GRPCInferenceService/ModelInfer", connect.WithGRPC())
		ctx, cancel := context.WithTimeout(t.Context(), time.Microsecond)
		defer cancel()
		if _, err := c.CallUnary(ctx, connect.NewRequest(inferMessage(in, true))); connect.CodeOf(err) != connect.CodeDeadlineExceeded {
			t.Error(err)
		}
	})
}

func TestKeyGuardsGRPC(t *testing.T) {
	n := testNode(t, "guarded", func(c *Config) { c.API, c.Key = "0.0.0.0:0", "secret" })
	_, port, err := net.SplitHostPort(n.API())
	if err != nil {
		t.Fatal(err)
	}
	addr := "127.0.0.1:" + port
	if _, err := callGRPC[oippb.ServerLiveResponse](t, addr, "ServerLive", &oippb.ServerLiveRequest{}); err != nil {
		t.Errorf("health: %v", err)
	}
	for _, auth := range []string{"", "Bearer wrong"} {
		_, err := callGRPC[oippb.ServerMetadataResponse](t, addr, "ServerMetadata", &oippb.ServerMetadataRequest{}, "Authorization", auth)
		if connect.CodeOf(err) != connect.CodeUnauthenticated || !strings.Contains(err.Error(), "Bearer KEY") {
			t.Errorf("with %q: %v", auth, err)
		}
	}
	if _, err := callGRPC[oippb.ServerMetadataResponse](t, addr, "ServerMetadata", &oippb.ServerMetadataRequest{}, "Authorization", "Bearer secret"); err != nil {
		t.Error(err)
	}
}
