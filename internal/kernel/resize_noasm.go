//go:build noasm || (!amd64 && !arm64)

package kernel

func resizeRow(_ ISA, a *resizeArgs) { resizeRowGeneric(a) }
