package node

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"

	"github.com/cleave-mesh/cleave/internal/oippb"
	"github.com/cleave-mesh/cleave/node/oip"
)

// inferenceService is the protocol's name of its gRPC service.
const inferenceService = "inference.GRPCInferenceService"

// grpcRoutes is the Open Inference Protocol over gRPC, with grpc.health.v1 and server reflection, on the port of the HTTP
// interface. (The handlers answer gRPC-Web and Connect too.)
func (n *Node) grpcRoutes() map[string]http.Handler {
	routes := map[string]http.Handler{}
	handle := func(path string, h http.Handler) { routes[path] = h }
	handle(unary("ServerLive", func(context.Context, *oippb.ServerLiveRequest) (*oippb.ServerLiveResponse, error) {
		return &oippb.ServerLiveResponse{Live: true}, nil
	}))
	handle(unary("ServerReady", func(context.Context, *oippb.ServerReadyRequest) (*oippb.ServerReadyResponse, error) {
		return &oippb.ServerReadyResponse{Ready: n.readiness() == nil}, nil
	}))
	handle(unary("ServerMetadata", func(context.Context, *oippb.ServerMetadataRequest) (*oippb.ServerMetadataResponse, error) {
		m := serverMetadata
		return &oippb.ServerMetadataResponse{Name: m.Name, Version: m.Version, Extensions: m.Extensions}, nil
	}))
	handle(unary("ModelReady", n.grpcModelReady))
	handle(unary("ModelMetadata", n.grpcModelMetadata))
	handle(unary("ModelInfer", n.grpcModelInfer))

	reflector := grpcreflect.NewStaticReflector(inferenceService, grpchealth.HealthV1ServiceName)
	handle(grpcreflect.NewHandlerV1(reflector))
	handle(grpcreflect.NewHandlerV1Alpha(reflector))
	handle(grpchealth.NewHandler(grpcChecker{n}))
	return routes
}

// unary is the path and handler of one method of the inference service.
func unary[Req, Res any](method string, fn func(context.Context, *Req) (*Res, error)) (string, http.Handler) {
	path := "/" + inferenceService + "/" + method
	return path, connect.NewUnaryHandler(path, func(ctx context.Context, r *connect.Request[Req]) (*connect.Response[Res], error) {
		res, err := fn(ctx, r.Msg)
		if err != nil {
			return nil, grpcError(err)
		}
		return connect.NewResponse(res), nil
	}, connect.WithReadMaxBytes(maxInfer))
}

// grpcModelReady answers false, not an error, for a model that is known but cannot run yet.
func (n *Node) grpcModelReady(_ context.Context, r *oippb.ModelReadyRequest) (*oippb.ModelReadyResponse, error) {
	_, err := n.readyModel(r.GetName(), r.GetVersion())
	if err != nil && statusOf(err) != http.StatusServiceUnavailable {
		return nil, err
	}
	return &oippb.ModelReadyResponse{Ready: err == nil}, nil
}

func (n *Node) grpcModelMetadata(ctx context.Context, r *oippb.ModelMetadataRequest) (*oippb.ModelMetadataResponse, error) {
	m, err := n.metadata(ctx, r.GetName(), r.GetVersion())
	if err != nil {
		return nil, err
	}
	return &oippb.ModelMetadataResponse{
		Name: m.Name, Versions: m.Versions, Platform: m.Platform, Inputs: oip.ProtoMetadata(m.Inputs), Outputs: oip.ProtoMetadata(m.Outputs),
	}, nil
}

// grpcModelInfer answers raw contents to a caller that sent raw contents, typed ones else.
func (n *Node) grpcModelInfer(ctx context.Context, m *oippb.ModelInferRequest) (*oippb.ModelInferResponse, error) {
	name, err := n.lookup(m.GetModelName(), m.GetModelVersion())
	if err != nil {
		return nil, err
	}
	req, err := oip.FromProto(m)
	if err != nil {
		return nil, err
	}
	res, err := n.inference(ctx, name, req)
	if err != nil {
		return nil, err
	}
	return oip.ToProto(res, len(m.GetRawInputContents()) > 0)
}

// grpcChecker answers grpc.health.v1, as orchestrators ask for it.
type grpcChecker struct{ n *Node }

// Check reports on the node ("") or on the inference service, which are ready together.
func (c grpcChecker) Check(_ context.Context, r *grpchealth.CheckRequest) (*grpchealth.CheckResponse, error) {
	if r.Service != "" && r.Service != inferenceService {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("no service "+r.Service))
	}
	if c.n.readiness() != nil {
		return &grpchealth.CheckResponse{Status: grpchealth.StatusNotServing}, nil
	}
	return &grpchealth.CheckResponse{Status: grpchealth.StatusServing}, nil
}

// grpcHealth reports whether a path is one of health, which is open to callers without the key.
func grpcHealth(path string) bool {
	return strings.HasPrefix(path, "/"+grpchealth.HealthV1ServiceName+"/") ||
		path == "/"+inferenceService+"/ServerLive" || path == "/"+inferenceService+"/ServerReady"
}

// grpcCall reports whether a request is gRPC's, whose errors are not documents.
func grpcCall(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// grpcCodes are the gRPC codes of the HTTP statuses that statusOf gives; every other is internal.
var grpcCodes = map[int]connect.Code{
	http.StatusBadRequest:            connect.CodeInvalidArgument,
	http.StatusUnauthorized:          connect.CodeUnauthenticated,
	http.StatusForbidden:             connect.CodePermissionDenied,
	http.StatusNotFound:              connect.CodeNotFound,
	http.StatusConflict:              connect.CodeFailedPrecondition,
	http.StatusRequestEntityTooLarge: connect.CodeResourceExhausted,
	http.StatusUnprocessableEntity:   connect.CodeFailedPrecondition,
	http.StatusNotImplemented:        connect.CodeUnimplemented,
	http.StatusBadGateway:            connect.CodeUnavailable,
	http.StatusServiceUnavailable:    connect.CodeUnavailable,
	http.StatusGatewayTimeout:        connect.CodeDeadlineExceeded,
	http.StatusInsufficientStorage:   connect.CodeResourceExhausted,
}

// grpcError is err with the gRPC code that says what kind it is.
func grpcError(err error) *connect.Error {
	code, ok := grpcCodes[statusOf(err)]
	switch {
	case errors.Is(err, context.Canceled):
		code = connect.CodeCanceled
	case !ok:
		code = connect.CodeInternal
	}
	return connect.NewError(code, errors.New(strings.ReplaceAll(err.Error(), "\n", "; ")))
}
