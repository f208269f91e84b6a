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
