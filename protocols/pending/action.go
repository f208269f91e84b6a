package pending

import (
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

// Item is an object that arrived before what it depends on.
type Item struct {
	ID      object.ID
	Sender  core.PeerID // empty: ourselves
	Size    int         // of its encoding, in bytes
	Missing []object.ID // the dependencies that are not held
	Body    any         // the composer's own
}

// Ready hands over an item whose dependencies are all held.
type Ready struct {
	Item
	Also []core.PeerID // others who sent it
}

// Fallen hands over an item that can never be valid, because Because is not. The
// sender and Also passed it on.
type Fallen struct {
	Item
	Also    []core.PeerID
	Because object.ID // the item itself, where that was invalid
}

// Expired hands over an item that is given up: it waited too long, or nobody has
// what it waits for. It may come again.
type Expired struct {
	Item
	Also    []core.PeerID
	Because object.ID // what nobody has; zero: the age
}

// Want asks for a missing object. It is said once, until Retry, and then
// of another peer that sent what needs it.
type Want struct {
	ID    object.ID
	Peer  core.PeerID // who sent what needs it first; empty: only ourselves
	Depth int         // levels of waiting items above it: the largest is the deepest
}

// Holder names another peer that should have a wanted object: it sent an item that
// needs it.
type Holder struct {
	ID   object.ID
	Peer core.PeerID
}

// Unwant takes a Want back: the object is here, or nobody waits for it any more.
type Unwant struct{ ID object.ID }

// Unpark asks for a parked object again: there is room now.
type Unpark struct {
	ID     object.ID
	Sender core.PeerID
}

func (Ready) Action()   {}
func (Fallen) Action()  {}
func (Expired) Action() {}
func (Want) Action()    {}
func (Holder) Action()  {}
func (Unwant) Action()  {}
func (Unpark) Action()  {}

// Fate is what became of an item that was added.
type Fate uint8

// The fates of an item.
const (
	Refused  Fate = iota // not taken; the error says why
	Waits                // kept until its dependencies are held, or known already
	Parked               // no room: its bytes are dropped, Unpark follows
	Released             // nothing is missing: Ready was said, now or before
)

func (f Fate) String() string {
	return [...]string{"refused", "waits", "parked", "released"}[f]
}

// Stats are counters since the start and, at the end, gauges.
type Stats struct {
	Added, Repeated    uint64 // items that came: new, known
	Ready              uint64
	Overtaken          uint64 // items that were held before they were ready
	Fallen             uint64
	TooOld, NotFound   uint64 // why items expired
	TooDeep, TooLarge  uint64 // why items were refused
	Parks, Unparks     uint64
	Dropped            uint64 // over the bound on parked IDs, or not come after Unpark
	WantsSaid, Retries uint64

	Waiting, Bytes int // items, and what they are charged
	Missing        int // objects that items wait for and that do not wait themselves
	Wanted, Queued int // of them: wanted now, and kept back by the bounds on wants
	Parked         int // IDs, those that were asked for again included
	Peers          int // that all these are from
}
