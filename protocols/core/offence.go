package core

// Offence is a way of breaking the rules, as "protocol.fault". Each protocol
// lists its own; reputation weighs them.
type Offence string

// What the host sees of a weft stream.
const (
	OffenceFrame     Offence = "frame.malformed" // shorter than a header
	OffenceTooLong   Offence = "frame.too-long"  // over the protocol's limit
	OffenceSender    Offence = "frame.sender"    // names another sender
	OffenceDirection Offence = "frame.direction" // with symmetry: sent on a connection that we opened
	OffenceStreams   Offence = "frame.streams"   // more streams than one needs
	OffenceSlow      Offence = "frame.slow"      // a message that did not end in time
)

// What pubsub's adapter sees of a peer.
const (
	OffenceGossipInvalid  Offence = "gossip.invalid"         // passed on a message whose signature is wrong
	OffenceGossipUnsigned Offence = "gossip.unsigned"        // passed on a message without a signature, or with fields that do not belong there
	OffenceGossipIHave    Offence = "gossip.ihave-flood"     // announces more messages than there can be
	OffenceGossipIWant    Offence = "gossip.iwant-flood"     // asks for more than it was offered, or again and again
	OffenceGossipUnwant   Offence = "gossip.idontwant-flood" // refuses more messages than there can be
	OffenceGossipGraft    Offence = "gossip.graft-flood"     // grafts within the back-off, again and again
	OffenceGossipTopics   Offence = "gossip.topics-flood"    // names ever new topics
	OffenceGossipBackoff  Offence = "gossip.backoff"         // demands a back-off that nobody would outlive
	OffenceGossipWithheld Offence = "gossip.withheld"        // announced a message and did not give it: graded, queues overflow
)

// RateBanned is what gossip is to think of a banned peer: nothing is taken from it any
// more. Chosen far below any sum of faults.
const RateBanned = -1000.0
