// Package oip is the Open Inference Protocol v2 as documents: requests, responses and tensors in JSON, in the binary
// tensor extension, and in the messages of its gRPC form (FromProto, ToProto). It does no networking.
//
// A body over HTTP is one JSON document, optionally followed by raw tensors; the HTTP header Inference-Header-Content-Length then
// says where the JSON ends:
//
//	+--------------------------+-----------+-----------+-----
//	| JSON (header-length bytes)| tensor 0  | tensor 1  | ...   in the order of the JSON's tensors that have
//	+--------------------------+-----------+-----------+-----  parameters.binary_data_size
//
// Raw elements are little-endian and row-major; each element of a BYTES tensor is preceded by its length as uint32.
package oip
