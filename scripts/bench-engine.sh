#!/bin/sh
# Times the native engine against ONNX Runtime on every float32 model below a folder, in turn within one run, at one and two
# threads, and prints medians, ratios and their geometric mean.
#
#	scripts/bench-engine.sh [FOLDER] [TIME]
#
# FOLDER holds NAME/model.onnx (default: the models beside the repository, or what CLEAVE_SHARED names); TIME is how long each model
# is measured per thread count (default 2s). MODELS limits the run to some names.
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
mkdir "$tmp/models"
for m in "$folder"/*/; do
	name=$(basename "$m")
	case "$name" in *int8* | *fp16*) continue ;; esac # float32 models only
	if [ -n "${MODELS:-}" ]; then
		case " $MODELS " in *" $name "*) ;; *) continue ;; esac
	fi
	ln -s "$(cd "$m" && pwd)" "$tmp/models/$name"
done
"$tmp/cleave" bench --against ort --thread-counts "${THREADS:-1,2}" --time "$time" "$tmp/models"
