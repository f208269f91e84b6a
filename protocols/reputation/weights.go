package reputation

import "github.com/weftnet/weft/protocols/core"

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

// verdict is what an offence costs, and which term of the score.
type verdict struct {
	weight weight
	term   TermKind
}

// weights are the offences of every protocol: the one list of penalties. docs/reputation.md
// explains each; docs/protocols says what happens to the message.
var weights = map[core.Offence]verdict{
	core.OffenceFrame:     {serious, Compliance},
	core.OffenceTooLong:   {serious, Compliance},
	core.OffenceSender:    {grave, Compliance},
	core.OffenceDirection: {serious, Compliance},
	core.OffenceStreams:   {minor, Compliance},
	core.OffenceSlow:      {minor, Compliance},

	core.OffenceGossipInvalid:  {grave, Validity}, // honest nodes check before they pass on
	core.OffenceGossipUnsigned: {serious, Compliance},
	core.OffenceGossipIHave:    {serious, Compliance},
	core.OffenceGossipIWant:    {serious, Compliance},
	core.OffenceGossipUnwant:   {serious, Compliance},
	core.OffenceGossipGraft:    {serious, Compliance},
	core.OffenceGossipTopics:   {serious, Compliance},
	core.OffenceGossipBackoff:  {serious, Compliance},
	core.OffenceGossipWithheld: {minor, Compliance},

	"handshake.malformed":    {serious, Compliance},
	"handshake.order":        {minor, Compliance}, // its handshake was lost on the way
	"handshake.refused":      {grave, Compliance},
	"handshake.unknown-type": {serious, Compliance},

	"peerlist.bad-query":    {serious, Compliance},
	"peerlist.too-often":    {minor, Compliance},
	"peerlist.unsolicited":  {serious, Compliance},
	"peerlist.bad-answer":   {serious, Compliance},
	"peerlist.oversized":    {grave, Compliance},
	"peerlist.bad-claim":    {grave, Validity},
	"peerlist.equivocation": {grave, Validity},

	"uptime.malformed":   {serious, Compliance},
	"uptime.unsolicited": {minor, Compliance},
	"uptime.too-often":   {minor, Compliance},

	"infect.malformed":   {serious, Compliance},
	"infect.unsolicited": {minor, Compliance},
	"infect.withheld":    {minor, Compliance},
	"infect.rejected":    {grave, Validity},

	"broadcast.malformed": {serious, Compliance},
	"broadcast.too-often": {minor, Compliance},

	"fetch.malformed":   {serious, Compliance},
	"fetch.unsolicited": {minor, Compliance}, // it may be on account of a request that we forgot
	"fetch.oversized":   {grave, Compliance},
	"fetch.wrong":       {grave, Validity},
	"fetch.absent":      {minor, Compliance},

	"catchup.malformed":   {serious, Compliance},
	"catchup.unsolicited": {minor, Compliance}, // it may answer a question from before it was disconnected
	"catchup.too-many":    {minor, Compliance},
	"catchup.topics":      {serious, Compliance},

	"object.invalid":   {fatal, Validity},
	"object.dependant": {grave, Validity},
	"object.author":    {serious, Validity}, // it may know another set of validators
	"object.depth":     {serious, Compliance},

	"discovery.unknown-type": {serious, Compliance},
	"discovery.bad-claim":    {grave, Validity},
}

// Weighed says whether an offence has a weight of its own; one that has none counts
// as minor.
func Weighed(o core.Offence) bool { _, ok := weights[o]; return ok }

func verdictOf(o core.Offence) verdict {
	if v, ok := weights[o]; ok {
		return v
	}
	return verdict{minor, Compliance}
}
