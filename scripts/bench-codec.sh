#!/bin/sh
# Prints every figure that is published about the codecs and writes docs/codecs/*.
#
#   CLEAVE_SHARED=DIR scripts/bench-codec.sh [--quick]
#   CLEAVE_SHARED=DIR scripts/bench-codec.sh --answers [MODEL...]
#
# DIR holds models/ (test cases in the layout of the ONNX backend tests) and inputs/ (pictures). Without it only speed and
# fuzzing run. --quick takes fewer cuts and fuzzes briefly. FUZZ sets the number of fuzz executions per target.
#
# --answers calibrates alone, and prints and writes bits per element at which the answers stay (docs/codecs/answers.md and its
# plots). With models it does so for those; WORK=FOLDER keeps the calibrations there, so that a run may go in slices: models that
# FOLDER has are not calibrated again. CUTS (8), CROPS (24 samples, 0 for none) and CROPCUTS (4) set how much is measured.
set -eu
cd "$(dirname "$0")/.."
cuts=24 fuzz=${FUZZ:-1000000}
if [ "${1:-}" = --quick ]; then
	cuts=6 fuzz=${FUZZ:-50000}
fi
answers=
if [ "${1:-}" = --answers ]; then
	answers=yes
	shift
	only=" $* "
fi
work=${WORK:-}
if [ -z "$work" ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
fi
mkdir -p "$work/pictures" "$work/crops"

go build -o "$work/cleave" ./cmd/cleave
go build -o "$work/figures" ./scripts/codecfigures

# calibrate FOLDER SAMPLES CUTS: every model whose task is known, pictures as inputs.
calibrate() {
	while read -r model flags; do
		if [ -e "$work/$1/$model.json" ] || [ -n "${only:-}" ] && [ "$only" != "  " ] && [ "${only#* "$model" }" = "$only" ]; then
			continue
		fi
		# shellcheck disable=SC2086 # flags are several words
		"$work/cleave" calibrate "$CLEAVE_SHARED/models/$model/model.onnx" --inputs "$CLEAVE_SHARED/inputs" --threads 1 \
			--samples "$2" --cuts "$3" --out "$work/$1/$model.json" $flags >&2
	done <<-MODELS
		blazeface-front --pixels scale=127.5,offset=-1
		mobilenetv2-int8 --pixels scale=127.5,offset=-1
		ppocr-v2-cls --pixels scale=127.5,offset=-1,order=bgr --shape x=1x3x48x192
		ppocr-v4-det --pixels scale=58.395/57.12/57.375,offset=-2.1179/-2.0357/-1.8044,order=bgr --shape x=1x3x320x480
		resnet8-cifar10
		selfie-segmentation --pixels scale=255
		ultraface-rfb-320 --pixels scale=128,offset=-0.9921875
		vww-96 --pixels scale=255
		yolox-nano --pixels order=bgr
		yunet --pixels order=bgr
	MODELS
}

if [ -n "${CLEAVE_SHARED:-}" ]; then
	pictures=$(find "$CLEAVE_SHARED/inputs" -name '*.png' -o -name '*.jpg' | wc -l)
	calibrate pictures $((2 * pictures)) "${CUTS:-8}"
	if [ "${CROPS:-24}" != 0 ]; then
		calibrate crops "${CROPS:-24}" "${CROPCUTS:-4}"
	fi
	"$work/figures" -models "$CLEAVE_SHARED/models" -inputs "$CLEAVE_SHARED/inputs" -cuts "$cuts" -light \
		-pictures "$work/pictures" -crops "$work/crops" ${answers:+-answers}
else
	echo "CLEAVE_SHARED is not set: no figures on models" >&2
	"$work/figures" -out "$work"
fi

if [ -n "$answers" ]; then
	exit
fi
for room in ./codec ./codec/calibrate; do
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z]*\)(.*/\1/p' "$room"/*_test.go); do
		echo "$target, $fuzz executions:"
		go test "$room" -run xxx -fuzz "^$target\$" -fuzztime "${fuzz}x" | tail -3
	done
done
