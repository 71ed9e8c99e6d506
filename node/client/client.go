package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/oip"
)

// DefaultAddr is where a node's HTTP interface listens unless told otherwise.
const DefaultAddr = "127.0.0.1:25380"

// maxError is how much of a failed answer's body is read.
const maxError = 64 << 10

// StatusError is an answer other than 2xx.
type StatusError struct {
	Code    int
	Message string
}

func (e *StatusError) Error() string { return e.Message }

// Client talks to one node. It is safe for concurrent use.
type Client struct {
	base string
	key  string
	http *http.Client
}

// New makes a client for the node whose HTTP interface is at addr ("host:port" or a URL); "" means DefaultAddr. key is
// the API key, "" for none.
func New(addr, key string) *Client {
	if addr == "" {
		addr = DefaultAddr
	}
	if !strings.Contains(addr, "://") {
		addr = "http://" + addr
	}
	return &Client{
		base: strings.TrimRight(addr, "/"), key: key,
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second}},
	}
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// do sends a request and decodes the JSON answer into out, unless out is nil.
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	res, err := c.send(ctx, method, path, "application/json", body, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, res.Body)
		return err
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return fmt.Errorf("decode answer of %s: %w", path, err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path, contentType string, body io.Reader, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && errors.Is(err, syscall.ECONNREFUSED) {
			return nil, fmt.Errorf("no cleave node answers at %s: start one with cleave node, or name it with --api", c.base)
		}
		return nil, err
	}
	if res.StatusCode/100 != 2 {
		defer res.Body.Close()
		b, _ := io.ReadAll(io.LimitReader(res.Body, maxError)) // the status alone is an answer
		var e oip.Error
		if json.Unmarshal(b, &e) != nil || e.Error == "" {
			e.Error = fmt.Sprintf("%s %s: %s", method, path, res.Status)
		}
		return nil, &StatusError{Code: res.StatusCode, Message: e.Error}
	}
	return res, nil
}

// Self describes the node behind the client.
func (c *Client) Self(ctx context.Context) (n Node, err error) {
	err = c.do(ctx, http.MethodGet, "/cleave/v1/node", nil, &n)
	return n, err
}

// Nodes lists the machines of the mesh.
func (c *Client) Nodes(ctx context.Context) (n Nodes, err error) {
	err = c.do(ctx, http.MethodGet, "/cleave/v1/nodes", nil, &n)
	return n, err
}

// Paths lists the measured ways between all nodes.
func (c *Client) Paths(ctx context.Context) (p Paths, err error) {
	err = c.do(ctx, http.MethodGet, "/cleave/v1/paths", nil, &p)
	return p, err
}

// SetLink changes an emulated link of the node; it fails on a node that emulates none.
func (c *Client) SetLink(ctx context.Context, l Link) error {
	return c.do(ctx, http.MethodPut, "/cleave/v1/links", l, nil)
}

// Models lists the models that the mesh knows.
func (c *Client) Models(ctx context.Context) (m Models, err error) {
	err = c.do(ctx, http.MethodGet, "/cleave/v1/models", nil, &m)
	return m, err
}

// Model describes one model and its state on every node.
func (c *Client) Model(ctx context.Context, name string) (m Model, err error) {
	err = c.do(ctx, http.MethodGet, "/cleave/v1/models/"+url.PathEscape(name), nil, &m)
	return m, err
}

// PushOptions say how a model is stored.
type PushOptions struct {
	// Image, when not "", marks a model whose input is a picture, which may then travel as JPEG or PNG. It says how elements
	// map to pixels, as parameters of those codecs: "scale=127.5,offset=-1,order=bgr"; "scale=1" for pixels as they are.
	Image string
	// Local keeps the model on the node behind the client; otherwise every member fetches it.
	Local bool
}

// Push stores a model under name and spreads it over the mesh.
func (c *Client) Push(ctx context.Context, name string, model io.Reader, opts PushOptions) (m Model, err error) {
	q := url.Values{"image": {opts.Image}, "local": {strconv.FormatBool(opts.Local)}}
	res, err := c.send(ctx, http.MethodPut, "/cleave/v1/models/"+url.PathEscape(name)+"?"+q.Encode(), "application/octet-stream", model, nil)
	if err != nil {
		return m, err
	}
	defer res.Body.Close()
	err = json.NewDecoder(res.Body).Decode(&m)
	return m, err
}

// Calibrate gives a model of the mesh its calibration file, as cleave calibrate wrote it; every member fetches it.
func (c *Client) Calibrate(ctx context.Context, name string, file io.Reader, local bool) (m Model, err error) {
	q := url.Values{"local": {strconv.FormatBool(local)}}
	res, err := c.send(ctx, http.MethodPut, "/cleave/v1/models/"+url.PathEscape(name)+"/calibration?"+q.Encode(), "application/json", file, nil)
	if err != nil {
		return m, err
	}
	defer res.Body.Close()
	err = json.NewDecoder(res.Body).Decode(&m)
	return m, err
}

// Pull fetches a model that the mesh knows to the node behind the client.
func (c *Client) Pull(ctx context.Context, name string) (m Model, err error) {
	err = c.do(ctx, http.MethodPost, "/cleave/v1/models/"+url.PathEscape(name)+"/pull", nil, &m)
	return m, err
}

// Remove takes a model's name away everywhere and its file with it.
func (c *Client) Remove(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodDelete, "/cleave/v1/models/"+url.PathEscape(name), nil, nil)
}

// Plan makes a plan, or gives the one in force for the same request.
func (c *Client) Plan(ctx context.Context, r PlanRequest) (p Plan, err error) {
	err = c.do(ctx, http.MethodPost, "/cleave/v1/plans", r, &p)
	return p, err
}

// PlanByID gives a plan that the node knows, with its drawing if that is wanted.
func (c *Client) PlanByID(ctx context.Context, id string, drawing bool) (p Plan, err error) {
	path := "/cleave/v1/plans/" + url.PathEscape(id)
	if drawing {
		path += "?svg=1"
	}
	err = c.do(ctx, http.MethodGet, path, nil, &p)
	return p, err
}

// Solution is a plan in the planner's terms, with what it was made from.
func (c *Client) Solution(ctx context.Context, plan string) (s Solution, err error) {
	err = c.do(ctx, http.MethodGet, "/cleave/v1/plans/"+url.PathEscape(plan)+"/solution", nil, &s)
	return s, err
}

// Plans lists the plans that the node knows.
func (c *Client) Plans(ctx context.Context) (p Plans, err error) {
	err = c.do(ctx, http.MethodGet, "/cleave/v1/plans", nil, &p)
	return p, err
}

// Sessions lists inferences under way and lately ended.
func (c *Client) Sessions(ctx context.Context) (s Sessions, err error) {
	err = c.do(ctx, http.MethodGet, "/cleave/v1/sessions", nil, &s)
	return s, err
}

// Rows lists predicted beside measured for every plan that has run.
func (c *Client) Rows(ctx context.Context) (r Rows, err error) {
	err = c.do(ctx, http.MethodGet, "/cleave/v1/rows", nil, &r)
	return r, err
}

// Token issues a join token; only an authority's node can.
func (c *Client) Token(ctx context.Context, r TokenRequest) (t Token, err error) {
	err = c.do(ctx, http.MethodPost, "/cleave/v1/tokens", r, &t)
	return t, err
}

// Evict revokes a node's membership; only an authority's node can.
func (c *Client) Evict(ctx context.Context, node string) error {
	return c.do(ctx, http.MethodPost, "/cleave/v1/evict", map[string]string{"node": node}, nil)
}

// Rotate replaces the mesh's authority key; only the node that keeps it can. The old one is good for the overlap, 0 means the
// node's default.
func (c *Client) Rotate(ctx context.Context, overlap time.Duration) (r Rotation, err error) {
	err = c.do(ctx, http.MethodPost, "/cleave/v1/rotate", map[string]int64{"overlap_seconds": int64(overlap / time.Second)}, &r)
	return r, err
}

// InferRequest is one inference.
type InferRequest struct {
	Model string
	// Plan is the id of a plan; Strategy fixes one instead. With neither the node's current plan serves.
	Plan, Strategy string
	// Exits is ExitsOff to run the model to its end; "" leaves that to the plan.
	Exits string
	// Lossless, MaxLoss and Agreement say what the answer may lose, as in a PlanRequest. They and Exits do not count beside Plan.
	Lossless           bool
	MaxLoss, Agreement float64
	Inputs             map[string]*tensor.Tensor
	// Deadline is when the answer stops being useful; 0 means the node's default.
	Deadline time.Duration
}

// InferResult is the answer to one inference.
type InferResult struct {
	Outputs map[string]*tensor.Tensor
	// Order is the outputs' names in the model's order.
	Order  []string
	Report Report
}

// Infer runs one inference over the Open Inference Protocol with raw tensors both ways.
func (c *Client) Infer(ctx context.Context, r InferRequest) (*InferResult, error) {
	params := oip.Parameters{"binary_data_output": true, "report": true}
	if r.Plan != "" {
		params["plan"] = r.Plan
	}
	if r.Strategy != "" {
		params["strategy"] = r.Strategy
	}
	if r.Exits != "" {
		params["exits"] = r.Exits
	}
	if r.Lossless {
		params["lossless"] = true
	}
	if r.MaxLoss != 0 {
		params["max_loss"] = r.MaxLoss
	}
	if r.Agreement != 0 {
		params["agreement"] = r.Agreement
	}
	if r.Deadline > 0 {
		params["deadline_ms"] = float64(r.Deadline) / float64(time.Millisecond)
	}
	req := &oip.Request{Parameters: params}
	for name, t := range r.Inputs {
		req.Inputs = append(req.Inputs, oip.Tensor{Name: name, Value: t})
	}
	body, headerLength, err := oip.EncodeRequest(req)
	if err != nil {
		return nil, err
	}
	header := http.Header{oip.HeaderLength: {headerLength}}
	res, err := c.send(ctx, http.MethodPost, "/v2/models/"+url.PathEscape(r.Model)+"/infer", "application/octet-stream", bytes.NewReader(body), header)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	decoded, err := oip.DecodeResponse(answer, res.Header.Get(oip.HeaderLength))
	if err != nil {
		return nil, err
	}
	out := &InferResult{Outputs: make(map[string]*tensor.Tensor, len(decoded.Outputs))}
	for _, t := range decoded.Outputs {
		out.Outputs[t.Name] = t.Value
		out.Order = append(out.Order, t.Name)
	}
	if len(decoded.Report) > 0 {
		if err := json.Unmarshal(decoded.Report, &out.Report); err != nil {
			return nil, fmt.Errorf("decode report: %w", err)
		}
	}
	return out, nil
}
