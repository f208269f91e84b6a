// Package discovery is how a node finds the others and stays connected to them.
// It composes the protocols of its sister packages into one machine, so that the
// node and the simulator run the very same wiring
// (docs/adr/0008-one-composed-machine.md).
//
//	           core.Event                                  core.Effect
//	Connected ──▶ handshake ─ Check ─▶ Verify ─▶ Checked
//	                  │  Complete
//	                  ▼
//	               member ──▶ peerlist  asks and answers for claims
//	                      ──▶ infect    spreads our own claim, passes others' on
//	                      ──▶ uptime    pings
//	claims learnt ──▶ dialing ─▶ Dial
//	every Penalize ─▶ reputation ─▶ Block, Disconnect
//
// # Rules that belong to no single protocol
//
//   - Nothing of weft is taken from a peer before its handshake was accepted. What
//     arrives between our acceptance and the peer's, on another stream, waits for
//     it: 8 messages of 256 KiB together.
//   - Our claim is signed at the start, when our addresses change and at half of its
//     life. A new one goes to every member at once (peerlist.TypeOwnClaim) and to
//     everyone else by gossip: 5 s after the first member, then 2, 4, 8 ... minutes
//     after each other.
//   - A claim is passed on by gossip whether or not it is booked, because all members
//     of its owner have it booked; but not again before a quarter of its age has
//     passed, and not where the topology is a mesh, in which everyone is a member of
//     its owner. 16,384 claims are remembered as passed on.
//   - A claim told in a peer list is booked; one that came by gossip is booked only
//     if its owner is in the book already. Either way its owner may be dialled.
//   - Plain libp2p peers have 16 places of their own in an open network and none in
//     a closed one.
//   - With symmetry a pair must be connected in both directions and complete 15 s
//     after the first connection, or all its connections end and both sides are kept
//     apart for 10 min (seed: Casper, inter-node connections).
//   - A validator is named by its peer ID, or by a consensus key that a peer proved
//     in its handshake. Validators are members.
package discovery
