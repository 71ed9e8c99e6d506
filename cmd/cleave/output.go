package main

import (
	"encoding/json"
	"io"
)

// writeJSON prints the one document that --json promises on standard output.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
