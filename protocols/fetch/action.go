package fetch

import (
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

// Serve asks the composer for an object that a peer wants, and for its closure. The
// composer calls Machine.Answer when it has loaded them, or cannot.
//
// The closure is what the object depends on, directly or not, less what is in Have
// and what only that depends on. MaxObjects and MaxBytes bound it, the object itself
// included, and what is nearest to the object goes in first.
type Serve struct {
	Peer       core.PeerID
	Request    uint64
	ID         object.ID
	Closure    bool
	Have       []object.ID
	MaxObjects int
	MaxBytes   int // an object that is larger alone is given alone
}

// Got hands over an object that came from a peer. An extra is one that came unasked
// with the object of ID: the composer makes sure, when it parses, that it belongs
// to the closure of it, or treats it like any object that comes. After all extras, dependencies first,
// follows the object itself: the composer makes sure that its hash is ID, and calls
// Accepted or Wrong. The bytes of one run share memory: copy what is kept.
type Got struct {
	ID     object.ID
	Peer   core.PeerID
	Object []byte
	Extra  bool
}

// Exhausted says that an object could not be had: of nobody who was named, or of
// MaxAsked peers. It is not wanted any more; the composer may know others to ask,
// and wants it anew.
type Exhausted struct {
	ID      object.ID
	Replies []Reply // of those who were asked, in that order
	Full    bool    // nobody was asked: there are too many wants
}

// Reply is what a peer said, or did instead.
type Reply struct {
	Peer   core.PeerID
	Status Status
	Asked  time.Time // when; it says nothing of what the peer got later
}

func (Serve) Action()     {}
func (Got) Action()       {}
func (Exhausted) Action() {}

// The offences. Reputation decides what each costs. The composer finds the last one.
const (
	OffenceMalformed   core.Offence = "fetch.malformed"   // a message that does not parse, or of a type that is not of its protocol
	OffenceUnsolicited core.Offence = "fetch.unsolicited" // an answer, or a closure, that was not asked for; a second one; a request number twice at a time
	OffenceOversized   core.Offence = "fetch.oversized"   // a closure over its bounds
	OffenceWrong       core.Offence = "fetch.wrong"       // an object whose hash is not the ID
	OffenceAbsent      core.Offence = "fetch.absent"      // announced less than a minute ago, and then not found: graded
)

// Stats are counters since the start and, at the end, gauges.
type Stats struct {
	Wants, Coalesced, Full         uint64 // objects wanted; wanted again meanwhile; refused for want of room
	Accepted, Exhausted, Cancelled uint64 // how wants end
	Requests, Closures             uint64 // sent; of them for closures

	Found, NotFound, Refused, Pruned uint64 // answers received
	TimedOut, Gone, Wrong            uint64 // requests that ended otherwise
	Extras                           uint64 // objects of closures
	Comings                          uint64 // large answers that were announced in time
	LateUsed, Unneeded               uint64 // answers after the time-out; answers of no use any more
	BytesIn                          uint64 // of objects
	Latency                          time.Duration
	Answers                          uint64 // to divide Latency by: answers that came in time
	Pauses                           uint64 // of our own, that nobody is blamed for

	Asked                                                    uint64 // requests received
	GaveFound, GaveNotFound, GaveRefused, GavePruned, Silent uint64 // answers sent; refusals that were not even sent
	GaveExtras, BytesOut, Overdue                            uint64 // objects of closures; bytes of all; loads that took too long
	Faults                                                   uint64

	Open, Waiting, InFlight, Late, Serving, Peers int
}

func (m *Machine) send(to core.PeerID, protocol string, kind frame.Type, payload []byte, out *[]core.Action) {
	*out = append(*out, core.Send{Peer: to, Protocol: protocol, Type: kind, Payload: payload})
}

func (m *Machine) blame(peer core.PeerID, offence core.Offence, detail string, out *[]core.Action) {
	m.stats.Faults++
	*out = append(*out, core.Penalize{Peer: peer, Offence: offence, Detail: detail})
}
