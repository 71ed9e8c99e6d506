// Package member keeps the list of a mesh's nodes and their state: memberlist's gossip over package transport, and versioned
// records for what does not fit its 512 bytes of metadata.
//
// memberlist names nodes by transport.PeerID. The address that it is told is a constant made from that name, because packets
// are routed by name; true addresses travel in the metadata. So a node that moves keeps its place in the list.
//
// Records belong to one node each, which signs them; the highest version wins. All integers are big-endian:
//
//	metadata := version(1)=1 role(1) flags(1; 1: relay) name length(1) name count(1) { length(2) address }*
//	record   := node(32) version(8) key length(1) key value length(4) value signature(64)
//	rumour   := 1 record | 2 holder(32) node(32) version(8) key length(1) key     (a record too large for a packet)
//	          | 3 revocation                                                          (package admit)
//	          | 4 succession*                                                         (package admit)
//	request  := 1 hash of records(32) hash of nodes(32)      answer: bits(1), 1: records differ, 2: nodes differ
//	          | 2 entry*               answer: count(4) record* entry*   newer here, and wanted from the asker
//	          | 3 record*              answer: empty
//	          | 4 entry*               answer: count(4) record*
//	          | 5 statements           answer: statements, those known here
//	statements := count(1) succession* { length(2) revocation }*
//	entry    := node(32) version(8) key length(1) key
package member
