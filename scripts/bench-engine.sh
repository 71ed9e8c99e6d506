#!/bin/sh
# Prints the engine's figures in one run of about five minutes: the native engine against ONNX Runtime on every float32 model below a
# folder and on MobileNetV2 and ResNet-50 with generated weights, in turn, at one and two threads, with medians, ratios and
# their geometric mean; and float32 and int8 products of squares against the core's measured peak.
#
#	scripts/bench-engine.sh [FOLDER] [TIME]
#
# FOLDER holds NAME/model.onnx (default: the models beside the repository, or what CLEAVE_SHARED names); TIME is how long each model
# is measured per thread count (default 2s). A model that fails is named and the others go on. MODELS limits the run to some
# names, THREADS to some thread counts (default 1,2), PARTS to "models" or "products".
set -eu
cd "$(dirname "$0")/.."
folder=${1:-${CLEAVE_SHARED:-../shared}/models}
time=${2:-2s}

if [ -z "${CLEAVE_ORT_LIB:-}" ]; then
	CLEAVE_ORT_LIB=$(scripts/fetch-ort.sh)
	export CLEAVE_ORT_LIB
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT INT TERM
go build -o "$tmp/cleave" ./cmd/cleave
go build -o "$tmp/benchengine" ./scripts/benchengine
"$tmp/benchengine" -cleave "$tmp/cleave" -folder "$folder" -time "$time" -threads "${THREADS:-1,2}" \
	-models "${MODELS:-}" -parts "${PARTS:-models products}"
