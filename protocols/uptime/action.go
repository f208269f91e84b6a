package uptime

import (
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// Silent says that a peer shows no life: it is to be disconnected.
type Silent struct {
	Peer core.PeerID
	For  time.Duration // since anything came from it
}

func (Silent) Action() {}

// The offences. Reputation decides what each costs.
const (
	OffenceMalformed   core.Offence = "uptime.malformed"   // a message that does not parse
	OffenceUnsolicited core.Offence = "uptime.unsolicited" // a pong to no ping of ours
	OffenceTooOften    core.Offence = "uptime.too-often"   // pings beyond the budget
)

// Stats are counters since the start and, at the end, gauges.
type Stats struct {
	Pings, Missed uint64 // ours
	Silent        uint64 // peers given up
	Pauses        uint64 // of our own
	Faults        uint64

	Members, Remembered int
}

func send(peer core.PeerID, kind frame.Type, payload []byte) core.Send {
	return core.Send{Peer: peer, Protocol: Protocol, Type: kind, Payload: payload, Vital: true}
}
