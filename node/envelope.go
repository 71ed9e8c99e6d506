package node

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/session"
	"github.com/cleave-mesh/cleave/transport"
)

// Kinds of streams between daemons. Append only.
const (
	kindSession = transport.KindUser + 0 // an envelope: a message between the machines of one request
	kindInstall = transport.KindUser + 1 // an installation: a frame and the stages to prepare
	kindModel   = transport.KindUser + 2 // a model's content from an offset
	kindProfile = transport.KindUser + 3 // a request to profile a model for given shapes
	kindNames   = transport.KindUser + 4 // names of models that have just changed

	kindCalibration = transport.KindUser + 5 // a calibration file's content
)

// requestID names one inference in the mesh.
type requestID [16]byte

// String is the id in hex.
func (id requestID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText writes the id in hex.
func (id requestID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads an id in hex.
func (id *requestID) UnmarshalText(b []byte) error {
	if hex.DecodedLen(len(b)) != len(id) {
		return fmt.Errorf("%w: request id of %d characters", errEnvelope, len(b))
	}
	_, err := hex.Decode(id[:], b)
	return err
}

// Numbers of the message types in an envelope. Append only.
const (
	msgAdopt   = 1
	msgNotice  = 2
	msgRelease = 3
	msgEnd     = 4
	msgPass    = 5
)

// envelope carries a message of package session to another node, with what the sender measured on the way.
type envelope struct {
	Request requestID `json:"request"`
	// Frame is the content address of the frame that the message's indices belong to.
	Frame   string          `json:"frame"`
	Type    int             `json:"type"`
	Message json.RawMessage `json:"message"`
	// Stages and Transfers are what was measured since the sender's last envelope.
	Stages    []client.StageRun   `json:"stages,omitempty"`
	Transfers []client.TransferMS `json:"transfers,omitempty"`
}

var errEnvelope = errors.New("bad session message")

func encodeMessage(m session.Message) (int, json.RawMessage, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return 0, nil, fmt.Errorf("encode session message: %w", err)
	}
	switch m.(type) {
	case *session.Adopt:
		return msgAdopt, b, nil
	case *session.Notice:
		return msgNotice, b, nil
	case *session.Release:
		return msgRelease, b, nil
	case *session.End:
		return msgEnd, b, nil
	case *session.Pass:
		return msgPass, b, nil
	default:
		return 0, nil, fmt.Errorf("encode session message: unknown type %T", m)
	}
}

func (e *envelope) decode() (session.Message, error) {
	var m session.Message
	switch e.Type {
	case msgAdopt:
		m = &session.Adopt{}
	case msgNotice:
		m = &session.Notice{}
	case msgRelease:
		m = &session.Release{}
	case msgEnd:
		m = &session.End{}
	case msgPass:
		m = &session.Pass{}
	default:
		return nil, fmt.Errorf("%w: type %d", errEnvelope, e.Type)
	}
	if err := json.Unmarshal(e.Message, m); err != nil {
		return nil, fmt.Errorf("%w: %w", errEnvelope, err)
	}
	return m, nil
}
