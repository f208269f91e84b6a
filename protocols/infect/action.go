package infect

import "github.com/weftnet/weft/protocols/core"

// Check hands over an item, part of the message that came, that is new here. The loop makes sure that its hash is
// ID and that it is valid, which may take a while and other items, and then calls
// Machine.Gossip, Reject, Drop, or for another hash Retry. Until then the item is
// not passed on.
type Check struct {
	ID   ID
	From core.PeerID
	Item []byte
}

// Provide asks the loop to send an item that is too large to be kept here, as
// TypeItem, to a peer that has been offered it. The payload may be shared by all
// peers that are sent it.
type Provide struct {
	Peer core.PeerID
	ID   ID
}

// Lost says that an item could not be had from anybody who announced it. When it is
// had in another way it may be gossiped all the same.
type Lost struct{ ID ID }

func (Check) Action()   {}
func (Provide) Action() {}
func (Lost) Action()    {}

// The offences. Reputation decides what each costs.
const (
	OffenceMalformed   core.Offence = "infect.malformed"   // a message that does not parse
	OffenceUnsolicited core.Offence = "infect.unsolicited" // an answer, a request or an item that was not asked for
	OffenceWithheld    core.Offence = "infect.withheld"    // announced an item and did not give it in time: graded, it may have been a short absence
	OffenceRejected    core.Offence = "infect.rejected"    // offered an item that we had found to be invalid
)

// Stats are counters since the start and, at the end, gauges.
type Stats struct {
	Offers                     uint64 // sent
	Infected, Already, Refused uint64 // answers to them
	TimedOut                   uint64 // offers without an answer
	Spread                     uint64 // items accepted here and passed on
	ByInfection, BySaturation  uint64 // why spreading ended
	ByAttempts, ByPeers        uint64
	Received, Repeated, NoRoom uint64 // offers received: new, known, refused
	Lost, Rejected, Dropped    uint64
	Expired, Faults            uint64

	Entries, Pending, Finished, Peers int
}
