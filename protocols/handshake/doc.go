// Package handshake is how two connected nodes find out whether they want each
// other: same network and genesis, versions that can work together, clocks that
// agree, a signed address claim, and where it is asked for, membership. Until both
// sides said yes, nothing else of weft is taken from a peer.
//
// Sources: the peer handshake of AvalancheGo (network/README.md, network/peer),
// without its weak spots: here the handshake has a deadline that nothing a peer
// sends extends, a refusal says why, and claims belong to one network. The error
// contract is stated at Machine, as slackhq/nebula does.
//
// # Flow
//
//	Alice                                Bob
//	  │ ───────────── link up ──────────── │   5 s from here
//	  │ Handshake                Handshake │
//	  ├──────────────▶   ◀─────────────────┤
//	  │ network, genesis, version, clock   │
//	  │ Check: claim, filter, proof        │
//	  │ Accept{claims Bob lacks}           │
//	  ├───────────────────────────────────▶│
//	  │          Accept{claims Alice lacks}│
//	  │◀───────────────────────────────────┤
//	  │ Complete                  Complete │
//
// Either side may send Reject{reason, text} instead, at any time. Both then show
// the reason; the refused side closes the link, or the refusing one a second later.
//
//	Alice v1.0.0                     Bob v2.11.4, accepts from v2.0.0 on
//	  │ Handshake                Handshake │
//	  ├──────────────▶   ◀─────────────────┤
//	  │ too-new: 2 > 1                     │ too-old: v1.0.0 < v2.0.0
//	  │ Reject{too-new}    Reject{too-old} │
//	  ├──────────────▶   ◀─────────────────┤
//	  │ closes                      closes │
//
// A full node gives a newcomer its peer list in the rejection: Reject{full, list}.
//
// In an open network a peer that speaks no weft protocol within 5 s stays as a
// plain libp2p peer; otherwise it is disconnected. A message that does not parse
// is skipped and penalised and changes nothing, neither does one of another
// protocol; after 16 of those the peer is refused.
//
// # Versions
//
//	theirs                     compatible
//	newer major than ours      no: too-new
//	older than our oldest      no: too-old
//	any other                  yes
//
// Both sides judge, so the newer decides how far back it goes.
//
// # Reasons
//
//	 0  unspecified
//	 1  network     other network name                        lasting
//	 2  genesis     same name, other genesis                  lasting
//	 3  too-old     version older than the oldest accepted    lasting
//	 4  too-new     newer major version                       lasting
//	 5  clock       clocks differ by more than 60 s
//	 6  claim       forged, malformed, another node's         offence
//	 7  claim-time  expired or from the future
//	 8  query       unusable filter or salt                   offence
//	 9  proof       wrong consensus-identity proof            offence
//	10  membership  not in the list, not a proven validator   lasting
//	11  full        no place; a peer list comes along
//	12  banned                                                lasting
//	13  duplicate   second handshake on one link, as after a restart
//	14  early       17 messages before the handshake          offence
//	15  timeout     not complete within 5 s
//	16  key-type    the peer's key is not Ed25519             lasting
//	17  asymmetric  could not be dialled back
//
// An offence is penalised. Lasting means that dialling again soon is useless.
//
// # Bytes
//
// Protobuf, on streams of the protocol /weft/handshake/1.0.0; every field stands
// at most once and unknown ones are skipped. A node keeps to one stream for all
// three types, so that they arrive in order.
//
//	type 1  Handshake  1 network    string 1..64
//	                   2 genesis    bytes 0..64
//	                   3 major  4 minor  5 patch   varint 0..65,535
//	                   6 time       varint, Unix ms
//	                   7 claim      signed envelope 1..1,024
//	                   8 query      peerlist.Query 1..135,168
//	                   9 proof      1 key, 32 bytes  2 signature, 64 bytes
//	type 2  Accept     peerlist.PeerList 0..16,384
//	type 3  Reject     1 reason     varint
//	                   2 text       string, cut to 256 printable bytes
//	                   3 list       peerlist.PeerList 0..16,384
//
// The proof is an Ed25519 signature of the consensus key over the bytes that
// Proven states: network, genesis, both peer IDs and the handshake's time.
//
// The frame header's time must not decide over a handshake: a node with a wrong
// clock is to be told so.
package handshake
