package node

import (
	"context"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
)

// hosts tells whether this node may run stages for others: a client of the mesh may not.
func (n *Node) hosts() bool {
	c := n.mesh.Credentials()
	return c != nil && c.Chain[0].Role != admit.Client
}

// allowed wraps a handler with what the roles of both ends permit. A client may ask for plans and inferences; it changes nothing that the
// mesh holds, and runs nothing for others. Who plans leaves clients out; this is for those who do not keep to that.
func (n *Node) allowed(kind transport.Kind, fn transport.Handler) transport.Handler {
	return func(ctx context.Context, in *transport.Incoming) {
		switch {
		case kind == kindNames && in.Role == admit.Client:
			in.Fail(transport.CodeRefused, "a client of the mesh cannot change its models")
		case kind == kindProfile && !n.hosts():
			in.Fail(transport.CodeRefused, "a client of the mesh hosts nothing")
		default:
			fn(ctx, in)
		}
	}
}
