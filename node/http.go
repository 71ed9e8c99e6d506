package node

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/cleave-mesh/cleave/codec/calibrate"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/oip"
	"github.com/cleave-mesh/cleave/node/session"
	"github.com/cleave-mesh/cleave/node/store"
	"github.com/cleave-mesh/cleave/planner"
)

// Limits of the HTTP interface.
const (
	// maxInfer is the most bytes of an inference request.
	maxInfer = 512 << 20
	// maxDocument is the most bytes of any other JSON request.
	maxDocument = 1 << 20
	// headerTime is how long a caller may take for a request's header.
	headerTime = 10 * time.Second
)

// serve answers on the HTTP interface until Close.
func (n *Node) serve() {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // gRPC needs it
	n.server = &http.Server{
		Handler: n.routes(), ReadHeaderTimeout: headerTime, IdleTimeout: 2 * time.Minute, Protocols: &protocols,
		BaseContext: func(net.Listener) context.Context { return n.ctx },
	}
	n.beside(func(context.Context) {
		if err := n.server.Serve(n.listener); !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("HTTP interface ended", "err", err)
		}
	})
}

// routes is the table of every endpoint; docs/api.md lists the same.
func (n *Node) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, fn func(w http.ResponseWriter, r *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := fn(w, r); err != nil {
				n.fail(w, r, err)
			}
		})
	}
	handle("GET /v2", n.getServerMetadata)
	handle("GET /v2/{$}", n.getServerMetadata)
	handle("GET /v2/health/live", n.live)
	handle("GET /v2/health/ready", n.ready)
	for _, version := range []string{"", "/versions/{version}"} {
		handle("GET /v2/models/{model}"+version, n.modelMetadata)
		handle("GET /v2/models/{model}"+version+"/ready", n.modelReady)
		handle("POST /v2/models/{model}"+version+"/infer", n.infer)
	}
	handle("POST /v2/repository/index", n.repositoryIndex)

	for pattern, handler := range n.grpcRoutes() {
		mux.Handle(pattern, handler)
	}

	handle("GET /healthz", n.live)
	handle("GET /readyz", n.ready)
	mux.Handle("GET /metrics", n.metrics.handler())

	handle("GET /cleave/v1/node", n.getSelf)
	handle("GET /cleave/v1/nodes", n.getNodes)
	handle("GET /cleave/v1/paths", n.getPaths)
	handle("PUT /cleave/v1/links", n.putLink)
	handle("GET /cleave/v1/models", n.getModels)
	handle("GET /cleave/v1/models/{model}", n.getModel)
	handle("PUT /cleave/v1/models/{model}", n.putModel)
	handle("DELETE /cleave/v1/models/{model}", n.deleteModel)
	handle("POST /cleave/v1/models/{model}/pull", n.pullModel)
	handle("PUT /cleave/v1/models/{model}/calibration", n.putCalibration)
	handle("GET /cleave/v1/plans", n.getPlans)
	handle("POST /cleave/v1/plans", n.postPlan)
	handle("GET /cleave/v1/plans/{plan}", n.getPlan)
	handle("GET /cleave/v1/plans/{plan}/solution", n.getSolution)
	handle("GET /cleave/v1/rows", n.getRows)
	handle("GET /cleave/v1/sessions", n.getSessions)
	handle("POST /cleave/v1/tokens", n.postToken)
	handle("POST /cleave/v1/evict", n.postEvict)
	handle("POST /cleave/v1/rotate", n.postRotate)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		code := http.StatusNotFound
		if grpcCall(r) {
			code = http.StatusNotImplemented
		}
		n.fail(w, r, &statusError{code, fmt.Sprintf("no endpoint %s %s: docs/api.md lists all", r.Method, r.URL.Path)})
	})
	return n.guard(mux)
}

// guard demands the key where there is one. Health is open: orchestrators ask without keys.
func (n *Node) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open := r.URL.Path == "/healthz" || r.URL.Path == "/readyz" || strings.HasPrefix(r.URL.Path, "/v2/health/") || grpcHealth(r.URL.Path)
		if n.set.Key != "" && !open {
			got := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			if subtle.ConstantTimeCompare([]byte(got), []byte(n.set.Key)) != 1 {
				w.Header().Set("WWW-Authenticate", "Bearer")
				n.fail(w, r, &statusError{http.StatusUnauthorized, "this interface needs the key: send Authorization: Bearer KEY"})
				return
			}
		}
		if n.set.Key == "" && !localCaller(r) {
			n.fail(w, r, &statusError{http.StatusForbidden, "without a key this interface answers requests made to a loopback address only"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// localCaller reports whether the request names this machine itself, so that a page in a browser cannot use a name that it
// points at the loopback address (DNS rebinding), and carries no foreign Origin.
func localCaller(r *http.Request) bool {
	local := func(hostport string) bool {
		host := hostport
		if h, _, err := net.SplitHostPort(hostport); err == nil {
			host = h
		}
		host = strings.Trim(host, "[]")
		ip := net.ParseIP(host)
		return host == "localhost" || ip != nil && ip.IsLoopback()
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		_, host, ok := strings.Cut(origin, "://")
		if !ok || !local(host) {
			return false
		}
	}
	return local(r.Host)
}

// statusError is an error with the HTTP status that says what it means.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return e.text }

// fail answers with an error document.
func (n *Node) fail(w http.ResponseWriter, r *http.Request, err error) {
	code := statusOf(err)
	if code >= 500 && r.Context().Err() == nil {
		n.log.Warn("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	if grpcCall(r) {
		_ = n.grpcErrors.Write(w, r, grpcError(err)) // the caller is gone, at worst
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(oip.Error{Error: strings.ReplaceAll(err.Error(), "\n", "; ")}) // the caller is gone, at worst
}

// statusOf is the HTTP status that says what kind of error err is.
func statusOf(err error) int {
	var status *statusError
	var infeasible *planner.InfeasibleError
	var failed session.Fail
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &status):
		return status.code
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, store.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, oip.ErrMalformed), errors.Is(err, errBadModel), errors.Is(err, errInput), errors.Is(err, calibrate.ErrFile), errors.Is(err, calibrate.ErrForeign):
		return http.StatusBadRequest
	case errors.As(err, &infeasible), errors.Is(err, ErrPlan):
		return http.StatusUnprocessableEntity
	case errors.Is(err, store.ErrNoSpace):
		return http.StatusInsufficientStorage
	case errors.Is(err, ErrBusy), errors.Is(err, errStopped):
		return http.StatusServiceUnavailable
	case errors.Is(err, ErrNotEmulated):
		return http.StatusConflict
	case errors.As(err, &failed) && failed.Cause == session.Deadline, errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	case errors.As(err, &failed):
		return http.StatusBadGateway
	default:
		return http.StatusInternalServerError
	}
}

// errInput is wrapped when inputs do not fit the model.
var errInput = errors.New("bad inputs")

// write answers with a document.
func write(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n')) // the caller is gone, at worst
	return nil
}

// read decodes a request's document. Unknown fields are errors: they are misspelt options.
func read(w http.ResponseWriter, r *http.Request, v any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxDocument))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return &statusError{http.StatusBadRequest, "bad request document: " + err.Error()}
	}
	return nil
}

func (n *Node) live(w http.ResponseWriter, _ *http.Request) error {
	return write(w, map[string]bool{"live": true})
}

// ready reports whether the node can serve: it is a member, and its mesh connection works. The protocol calls the field "live"
// here too.
func (n *Node) ready(w http.ResponseWriter, _ *http.Request) error {
	if err := n.readiness(); err != nil {
		return err
	}
	return write(w, map[string]bool{"live": true, "ready": true})
}

// readiness is nil while the node can serve.
func (n *Node) readiness() error {
	if n.ctx.Err() != nil {
		return errStopped
	}
	return nil
}

func (n *Node) getSelf(w http.ResponseWriter, _ *http.Request) error {
	for _, d := range n.peers.nodeDocuments() {
		if d.Self {
			return write(w, d)
		}
	}
	return write(w, client.Node{ID: string(n.mesh.ID()), Name: n.set.Name, Self: true, PID: pid})
}

func (n *Node) getNodes(w http.ResponseWriter, _ *http.Request) error {
	return write(w, client.Nodes{Nodes: n.peers.nodeDocuments(), Epoch: n.peers.epoch()})
}

func (n *Node) getPaths(w http.ResponseWriter, _ *http.Request) error {
	n.publishPaths()
	n.peers.refresh()
	return write(w, client.Paths{Paths: n.peers.pathDocuments()})
}

func (n *Node) putLink(w http.ResponseWriter, r *http.Request) error {
	var l client.Link
	if err := read(w, r, &l); err != nil {
		return err
	}
	if err := n.links.change(l); err != nil {
		if !errors.Is(err, ErrNotEmulated) {
			err = &statusError{http.StatusBadRequest, err.Error()}
		}
		return err
	}
	return write(w, l)
}

func (n *Node) getRows(w http.ResponseWriter, _ *http.Request) error {
	return write(w, client.Rows{Rows: n.runs.rowDocuments()})
}

func (n *Node) getSessions(w http.ResponseWriter, _ *http.Request) error {
	return write(w, client.Sessions{Sessions: n.sessionDocuments()})
}
