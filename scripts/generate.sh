#!/bin/sh
# Regenerates the committed generated code. It needs protoc 3.21.12 on PATH; protoc-gen-go is pinned in scripts/tools/go.mod.
# A second run changes no byte.
set -eu
cd "$(dirname "$0")/.."

# The kernels: amd64's by avo as internal/kernel/_generate/go.mod pins it, and arm64's.
kernels() {
	go run "./$1" -out "../$2_amd64.s" ${3:+-dispatch "../$3_amd64.go"}
}
(
	cd internal/kernel/_generate
	kernels tile tile tile_table
	kernels depthwise depthwise
	kernels elementwise vec vec_stub
	kernels int8 int8_tile int8_table
	kernels nbits nbits nbits_table
	kernels transpose transpose
	kernels columns columns columns_stub
	kernels narrow conv_narrow conv_narrow_table
	kernels resize resize
	kernels peak peak/peak peak/peak_stub
	go run ./neon
)

want="libprotoc 3.21.12"
have="$(protoc --version 2>/dev/null || true)"
if [ "$have" != "$want" ]; then
	echo "generate: need $want, found '${have:-no protoc}' (its version is written into the generated file)" >&2
	exit 1
fi

bin="$(mktemp -d)"
trap 'rm -rf "$bin"' EXIT INT TERM
go -C scripts/tools build -o "$bin/protoc-gen-go" google.golang.org/protobuf/cmd/protoc-gen-go
messages() {
	protoc --plugin="protoc-gen-go=$bin/protoc-gen-go" --proto_path="$1" --go_out="$1" --go_opt=paths=source_relative "$2"
}
messages internal/onnxpb onnx.proto
messages internal/oippb inference.proto
