//go:build !unix

package onnx

import "os"

func systemMap(*os.File, int) ([]byte, error) { return nil, errNotMapped }
