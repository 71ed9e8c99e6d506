// Package host compiles stages and runs them, at the machine's own speed or paced to that of a slower one.
//
// A paced Host behaves as a machine of Speed times the real one: each compiled stage is timed when it is prepared, and a run
// ends when usual time / Speed has passed since it began, or when it is really done if that is later. Coding is paced in the
// same way. One stage runs at a time: each takes all cores, as a machine of its own would be busy with it.
package host
