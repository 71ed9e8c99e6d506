#!/bin/sh
# Fetches the ONNX Runtime library for this machine from the npm package onnxruntime-node, checks it against a pinned checksum and
# puts it where the ort engine looks: the user's cache directory. Needs npm, tar and sha256sum (or shasum).
set -eu

version=1.30.0
integrity_linux_x64=ffb75a925ba05e47b235bb66e3e3911714a80b328a9c9425539feb204aa32a23

case "$(uname -s)-$(uname -m)" in
Linux-x86_64) path=linux/x64 lib=libonnxruntime.so.1 sum=$integrity_linux_x64 ;;
*)
	echo "fetch-ort: no pinned library for $(uname -s) on $(uname -m): install ONNX Runtime $version and set CLEAVE_ORT_LIB" >&2
	exit 1
	;;
esac

dest=${XDG_CACHE_HOME:-$HOME/.cache}/cleave/onnxruntime
checksum() { { sha256sum "$1" 2>/dev/null || shasum -a 256 "$1"; } | cut -d' ' -f1; }

if [ -f "$dest/$lib" ] && [ "$(checksum "$dest/$lib")" = "$sum" ]; then
	echo "$dest/$lib"
	exit 0
fi

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT INT TERM
cd "$tmp"
npm pack --silent "onnxruntime-node@$version" >/dev/null
tar xzf "onnxruntime-node-$version.tgz"
found=$(find package/bin -path "*/$path/$lib*" | head -n 1)
if [ -z "$found" ] || [ "$(checksum "$found")" != "$sum" ]; then
	echo "fetch-ort: the library in onnxruntime-node@$version is missing or not the pinned one: do not use it" >&2
	exit 1
fi
mkdir -p "$dest"
mv "$found" "$dest/$lib"
echo "$dest/$lib"
