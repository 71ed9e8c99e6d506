// Package arch is the house rules as tests: which room may import which, one doc comment a package, no file too long.
// It has no code of its own; docs/architecture.md draws what it checks.
package arch
