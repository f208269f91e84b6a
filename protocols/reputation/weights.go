package reputation

import "github.com/weftnet/weft/protocols/core"

// Score bounds (Basalt: 100 at the start, banned at 10, floor of minor faults 30).
const (
	start      = 100.0
	banAt      = 10.0
	minorFloor = 30.0
)

// weight is what an offence costs.
type weight float64

// The weights, in points. Chosen so that three forgeries or nine malformed messages
// in a row ban, and one provably invalid object (design: provably invalid: ban).
const (
	minor   weight = 5
	serious weight = 10
	grave   weight = 30
	fatal   weight = 100
)

// weights are the offences of every protocol; docs/protocols lists them with what
// happens to the message.
var weights = map[core.Offence]weight{
	core.OffenceFrame:     serious,
	core.OffenceTooLong:   serious,
	core.OffenceSender:    grave,
	core.OffenceDirection: serious,
	core.OffenceStreams:   minor,
	core.OffenceSlow:      minor,

	core.OffenceGossipInvalid:  grave, // honest nodes check before they pass on
	core.OffenceGossipUnsigned: serious,
	core.OffenceGossipIHave:    serious,
	core.OffenceGossipIWant:    serious,
	core.OffenceGossipGraft:    serious,
	core.OffenceGossipTopics:   serious,
	core.OffenceGossipBackoff:  serious,
	core.OffenceGossipWithheld: minor,

	"handshake.malformed":    serious,
	"handshake.order":        minor, // its handshake was lost on the way
	"handshake.refused":      grave,
	"handshake.unknown-type": serious,

	"peerlist.bad-query":    serious,
	"peerlist.too-often":    minor,
	"peerlist.unsolicited":  serious,
	"peerlist.bad-answer":   serious,
	"peerlist.oversized":    grave,
	"peerlist.bad-claim":    grave,
	"peerlist.equivocation": grave,

	"uptime.malformed":   serious,
	"uptime.unsolicited": minor,
	"uptime.too-often":   minor,

	"infect.malformed":   serious,
	"infect.unsolicited": minor,
	"infect.withheld":    minor,
	"infect.rejected":    grave,

	"broadcast.malformed": serious,
	"broadcast.too-often": minor,

	"fetch.malformed":   serious,
	"fetch.unsolicited": minor, // it may be on account of a request that we forgot
	"fetch.oversized":   grave,
	"fetch.wrong":       grave,
	"fetch.absent":      minor,

	"catchup.malformed":   serious,
	"catchup.unsolicited": minor, // it may answer a question from before it was disconnected
	"catchup.too-many":    minor,
	"catchup.topics":      serious,

	"object.invalid":   fatal,
	"object.dependant": grave,
	"object.author":    serious, // it may know another set of validators
	"object.depth":     serious,

	"discovery.unknown-type": serious,
	"discovery.bad-claim":    grave,
}

// Weighed says whether an offence has a weight of its own; one that has none counts
// as minor.
func Weighed(o core.Offence) bool { _, ok := weights[o]; return ok }

func weigh(o core.Offence) weight {
	if w, ok := weights[o]; ok {
		return w
	}
	return minor
}
