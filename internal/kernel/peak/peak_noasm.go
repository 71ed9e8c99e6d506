//go:build noasm || !amd64

package peak

func fma(int) func(int) { return nil }
