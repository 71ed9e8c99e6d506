// Package transport moves opaque bytes between the members of a mesh over one UDP port.
package transport
