//go:build !noasm && (amd64 || arm64)

package pool

// pause tells the processor that the caller is spinning.
func pause()
