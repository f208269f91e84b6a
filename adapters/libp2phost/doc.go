// Package libp2phost runs the libp2p host of a node and keeps everything that
// reaches it within bounds.
//
//	peers ─ TCP (TLS 1.3, Noise) / QUIC v1 ─▶ gater, limits, TLS check ─▶ base host ─ identify, ping
//	                                                                        │
//	                          Admit ─▶ overlay host: gate, meter ◀──────────┘
//	                                        │
//	                                pubsub, Kademlia
//
// Host is the bare libp2p host with its transports, its peer limit and its
// resource limits. What happens to connections goes out as core.Events through
// Config.Post, in order; Dial is answered the same way. A peer that finds no place
// may come as a guest, for a moment; a blocked one may not come at all.
//
// Overlay is what pubsub and the DHT get in place of the bare host. A peer exists
// for them from Admit until its last connection is gone: before that none of
// their streams is opened, none is handed over, and no event names the peer. An
// inbound stream that comes a moment too early waits, since pubsub sends its
// hello once; how many wait, and for how long, is bounded.
//
// With symmetry a peer that dialled us is dialled as well, and the overlay opens
// its streams on our own connections only: a peer exists for it while there is
// one. See symmetry.go for how two connections live in one swarm, and gate.go for
// what the loss of one of them takes.
//
// Inbound messages of pubsub and the DHT are length-prefixed, and their readers
// allocate the announced length at once. The overlay reads the prefix first: a
// length over the limit ends the stream, a large message is collected as it
// arrives, within a byte budget of the whole node, and handed over when it is
// complete; once begun, a message must end in time. See meter and budget.
//
// Messages of weft's own protocols (Config.Messages, package frame) do not pass the
// overlay: who may say what before a handshake is for the node to decide. Each
// protocol has one stream each way, which its sender opens when there is something
// to send and closes when it is idle; the other direction of it is closed.
//
//	Send ─▶ outbox ─▶ lane: batch, stream ─▶ …… ─▶ reader: length ─▶ capacity ─▶ body ─▶ check ─▶ Deliver
//	        drops, counts                                                ▲                           │
//	                                                                     └─────────── done ──────────┘
//
// Send never waits, and a reader drops nothing for want of capacity: it waits
// until its peer's messages in process, its rate, its share of the CPU and the
// memory of all allow the next body, and the waiting reaches the sender's outbox.
// A malformed message is skipped, and told as core.Misbehaved; core.Plain tells of
// a peer that does not speak the first protocol.
//
// Nothing here is global: many hosts live in one process.
package libp2phost
