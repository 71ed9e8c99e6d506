// Package codectest is the conformance suite of codecs: round trips, stated errors, limits and hostile bytes. It knows a
// codec only by its spec and what package codec exports, so that it holds for every codec that is added.
package codectest
