//go:build noasm || !amd64

package kernel

func resizeRow(_ ISA, a *resizeArgs) { resizeRowGeneric(a) }
