// Package simhost runs real libp2p hosts with a real gossip stack on a simulated
// network in virtual time, and measures how messages spread. Only tests use it.
//
// A World is made from a Config and a seed: where the nodes are, what their links
// are like, who dials whom, who publishes what and when, who vanishes and returns.
// Run plays one Strategy in it and gives a Result. Every strategy of a comparison
// plays in the same world, so that their differences are theirs.
//
//	world := simhost.NewWorld(cfg)
//	plain, err := simhost.Run(t, world, simhost.Plain())
//
// # The model
//
// Nodes live in nine regions of the world, one-way delays between these are 5 to
// 150 ms (as cloud providers publish them or, with Config.Drawn, by chance, so that
// detours often pay), and each node adds its own last mile, exponentially distributed. Links
// have a rate each way, queues are FQ-CoDel (simnet's). Each node dials ten others.
// Transport is QUIC with all its handshakes, windows and acknowledgements, and
// every packet counts. Computing takes no time.
//
// # What is measured
//
// Delivery times from the call of Publish to the delivery of each other node;
// copies of messages in full, control (anything else in pubsub's streams), both
// counted by parsing what each node reads from its streams, the same for every
// strategy; and bytes on the wire, by counting packets.
//
// Two bounds stand beside: direct, one hop from the publisher to each node as if
// all were connected and its uplink served each alone; and flood, the fastest way
// over the connections there are, likewise.
//
// # Attacks
//
// RunAttacked adds Sybils (sybil.go): hosts that speak pubsub's wire protocol by
// hand. They behave until the measured messages begin, then do what their Attack
// says (attack.go). What they answer and send is no node's code, so they can lie.
//
// # Sources
//
// Network: github.com/marcopolo/simnet v0.0.7. Virtual time: testing/synctest.
package simhost
