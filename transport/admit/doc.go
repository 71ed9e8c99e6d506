// Package admit decides who belongs to a mesh: authorities, join tokens, membership certificates and revocations. It does no
// I/O but the files of Save and Load, and reads no clock: every judgement takes the time as an argument.
//
// A mesh is named by the hash of its founding authority's key. A certificate binds a node's ed25519 identity to the mesh, for
// a role and a time. It is signed by an authority's key, or by the identity of a node that holds a certificate of role
// authority, which then follows in the chain. All integers are big-endian; times are Unix seconds.
//
//	certificate := version(1)=1 role(1) mesh(16) subject(32) serial(8) not before(8) not after(8) issuer(32) signature(64)
//	chain       := count(1) certificate*           leaf first, at most MaxChain
//	revocation  := version(1)=1 mesh(16) subject(32) time(8) issuer(32) signature(64) chain
//	succession  := version(1)=1 mesh(16) number(4) old key(32) new key(32) time(8) end of old(8) by old(64) by new(64)
//	proof       := chain succession*
//	token       := "cleave-" base64url(version(1)=1 role(1) uses(2) expiry(8) id(8) authority(32) mac(16)
//	               count(1) { length(1) address }*)
//
// The founder's key can be replaced: each authority key signs one succession to the next, and stays good until the end that
// the succession names. A proof is what a node shows of itself: its chain, and the line of successions, so that who was away
// when the key changed learns it from the first handshake. MeshID keeps the founder's name.
//
// A token's mac is keyed by the authority's secret key, so that only the authority can make or check one; it keeps how often
// each id has been used.
package admit
