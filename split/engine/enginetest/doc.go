// Package enginetest is the conformance suite of engine.Backend: what every backend must compute, refuse and leave alone.
package enginetest
