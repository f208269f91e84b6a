// Package uptime pings every member, notices when one has gone silent, and keeps
// two views of how reliable nodes are: what we perceive of each, and what the
// others say of us.
//
// Sources: AvalancheGo's network package (Ping carries the perceived uptime, Pong
// acknowledges it) and Casper's outgoing connection checks (30 s).
//
// # Flow
//
//	Alice                                Bob
//	  │ Ping{7, "I saw you up 95.00 %"}    │ every 30 s, the first one after 10 to 30 s
//	  ├───────────────────────────────────▶│
//	  │                            Pong{7} │
//	  │◀───────────────────────────────────┤ round trip measured
//
// A ping that has no pong after 10 s is missed. If nothing at all came from the
// peer since that ping left, it is silent, and Silent asks for the end of the
// link: at most 43 s after its last sign of life (30 s + 10 % + 10 s). A peer that
// sends other things but does not answer three pings in a row is silent too.
//
// # Our own pause
//
// A process that was stopped, or starved, must not conclude that everybody else
// was. While a pong is awaited the machine wants a Tick each second; one that
// comes more than a second late says by how much we were away, and every open
// ping is granted that much more time.
//
// # Uptime
//
// The uptime of a node is the part of the time since we first knew of it during
// which it was a connected member. Validators are known from the moment they are
// in the set, connected or not: so one that nobody can dial has a lower uptime.
// It is told in hundredths of a percent. What others say of us is summed up by
// the median, weighted by the validators' weights where there are any: who holds
// less than half of the weight cannot move it to where nobody honest put it.
//
// # Bounds
//
// A node is remembered for as long as it is connected or a validator, and up to
// 1,024 others beyond that, the one gone longest forgotten first. There is one
// open ping per peer.
//
// # Bytes
//
// Protobuf, on streams of the protocol /weft/uptime/1.0.0; every field stands at
// most once and unknown ones are skipped.
//
//	type 1  Ping  1 id      varint, new for each ping
//	              2 uptime  varint 0..10,000, hundredths of a percent
//	type 2  Pong  1 id      varint, that of the ping
package uptime
