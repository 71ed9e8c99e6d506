// Package codectest is the conformance suite of codecs: round trips, stated errors, limits and hostile bytes.
package codectest
