package oip

import (
	"encoding/json"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// HeaderLength is the HTTP header that says how many bytes of a body are JSON when raw tensors follow.
const HeaderLength = "Inference-Header-Content-Length"

// Parameters are a message's or tensor's options. Values are strings, numbers or booleans.
type Parameters map[string]any

// Bool is the parameter's value and whether it is there as a boolean.
func (p Parameters) Bool(name string) (value, ok bool) {
	value, ok = p[name].(bool)
	return value, ok
}

// String is the parameter's value, "" when it is absent or no string.
func (p Parameters) String(name string) string {
	s, _ := p[name].(string)
	return s
}

// Request is an inference request.
type Request struct {
	ID         string         `json:"id,omitempty"`
	Parameters Parameters     `json:"parameters,omitempty"`
	Inputs     []Tensor       `json:"inputs"`
	Outputs    []WantedOutput `json:"outputs,omitempty"`
}

// WantsRaw reports whether the caller wants an output raw after the JSON, by the binary tensor extension.
func (r *Request) WantsRaw(output string) bool {
	for _, want := range r.Outputs {
		if want.Name == output {
			if raw, said := want.Parameters.Bool("binary_data"); said {
				return raw
			}
		}
	}
	raw, _ := r.Parameters.Bool("binary_data_output")
	return raw
}

// WantedOutput names an output that the caller wants; a Request without any wants all.
type WantedOutput struct {
	Name       string     `json:"name"`
	Parameters Parameters `json:"parameters,omitempty"`
}

// Response is an inference response.
type Response struct {
	ModelName    string     `json:"model_name"`
	ModelVersion string     `json:"model_version,omitempty"`
	ID           string     `json:"id,omitempty"`
	Parameters   Parameters `json:"parameters,omitempty"`
	Outputs      []Tensor   `json:"outputs"`
	// Report is Cleave's own account of the run; nil unless the request asked for it with the parameter "report".
	Report json.RawMessage `json:"cleave_report,omitempty"`
}

// Tensor is a tensor of a request or response. Value is filled by the decoders, which also drop Data.
type Tensor struct {
	Name       string          `json:"name"`
	Shape      []int           `json:"shape"`
	Datatype   string          `json:"datatype"`
	Parameters Parameters      `json:"parameters,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
	Value      *tensor.Tensor  `json:"-"`
}

// ServerMetadata answers GET /v2.
type ServerMetadata struct {
	Name       string   `json:"name"`
	Version    string   `json:"version"`
	Extensions []string `json:"extensions"`
}

// ModelMetadata answers GET /v2/models/{model}.
type ModelMetadata struct {
	Name     string           `json:"name"`
	Versions []string         `json:"versions,omitempty"`
	Platform string           `json:"platform"`
	Inputs   []TensorMetadata `json:"inputs"`
	Outputs  []TensorMetadata `json:"outputs"`
}

// TensorMetadata describes an input or output; -1 in Shape is a size that varies.
type TensorMetadata struct {
	Name     string `json:"name"`
	Datatype string `json:"datatype"`
	Shape    []int  `json:"shape"`
}

// Error is the body of every failed request.
type Error struct {
	Error string `json:"error"`
}
