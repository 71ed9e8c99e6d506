// Package store keeps what a node must not lose: models by content, their names, and profiles, in one data folder.
//
//	DATA/lock                    held while a node runs on the folder
//	DATA/models/<sha256>.onnx    models, named by their content
//	DATA/partial/<sha256>.onnx   models that are still arriving, resumed where they stopped
//	DATA/codecs/<sha256>.json    calibration files, named by their content
//	DATA/names.json              name -> digest, with the time of the last change
//	DATA/profiles/<key>.json     what this node measured of itself
//
// Every file is written beside its place, synced and renamed: after a crash or on a full disk the folder holds the old
// file or the new one, never half of one.
package store
