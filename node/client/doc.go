// Package client is Cleave's HTTP interface seen from outside: the documents of /cleave/v1 and a client for them and for
// the Open Inference Protocol on the same port. The command line and the demo use nothing else; docs/api.md lists the
// endpoints. Durations are milliseconds as floats, rates are megabits (10^6 bits) per second, sizes are bytes.
package client
