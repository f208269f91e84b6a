package catchup

import (
	"time"

	"github.com/weftnet/weft/protocols/bloom"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

// List asks for a page of what landed here. The composer walks the log of the topic
// upwards, over the entries that are behind Cursor and landed at Since or later,
// takes those for which Lacks is true, and stops when it has MaxIDs of them or when
// Spent is true. What was pruned or anchored is left out. It answers by Machine.Listed.
type List struct {
	Peer    core.PeerID
	Request uint64
	Topic   string
	Since   time.Time // zero: everything
	Cursor  uint64

	bits, part uint8
	filter     *bloom.Filter // nil: the asker holds nothing
	keyer      *bloom.Keyer
	steps      *int // taken so far
	most       int
}

// lookup is what a look-up in a filter costs, in steps. A step is to pass over an
// entry of the log: 3 ns, where key and look-up take 50.
const lookup = 16

// Lacks says whether the asker may lack an object and asks about it here: it is of
// the right part and not in the filter. One goroutine at a time may call it.
func (l List) Lacks(id object.ID) bool {
	*l.steps++
	if partOf(id, l.bits) != l.part {
		return false
	}
	if l.filter == nil {
		return true
	}
	*l.steps += lookup
	return !l.filter.Contains(l.keyer.Key(entryOf(id)))
}

// Spent says that a page has cost enough.
func (l List) Spent() bool { return *l.steps >= l.most }

// Missing says which objects a peer holds and we may not. The composer wants those
// that are not held. With More the next page is asked for when it calls
// Machine.Continue, which it does as soon as it has room for another MaxIDs.
type Missing struct {
	Peer    core.PeerID
	Request uint64
	Topic   string
	IDs     []object.ID
	More    bool
}

func (List) Action()    {}
func (Missing) Action() {}

// The offences. Reputation decides what each costs. None is for lateness.
const (
	OffenceMalformed   core.Offence = "catchup.malformed"   // a message that does not parse, or a page that does not advance
	OffenceUnsolicited core.Offence = "catchup.unsolicited" // a page that nobody asked for
	OffenceTooMany     core.Offence = "catchup.too-many"    // more messages than one peer may send
	OffenceTopics      core.Offence = "catchup.topics"      // carries more topics, or longer names, than allowed
)

// Stats are counters since the start and, at the end, gauges.
type Stats struct {
	Rounds, Deep         uint64 // pulls begun: ordinary, deep,
	Joins, Welcomes      uint64 // on joining, for the welcome of a new carrier
	Asked, Answered      uint64 // questions: ours, others'
	Delayed              uint64 // times that one of theirs had to wait for its cost
	TimedOut, Late       uint64 // our questions without an answer; answers that came after that
	Finished, Broken     uint64 // pulls that came to their end, and that did not
	Listed, Missing      uint64 // IDs: told to others, told to us
	FilterKeys, Filtered uint64 // IDs in our filters, and bytes of them
	Faults               uint64

	Peers, Topics, Pulls int
	Alone                int // topics of ours that nobody connected carries
}

// partOf is the part of an ID: the lowest bits of its last byte, which the key in the
// filter does not depend on.
func partOf(id object.ID, bits uint8) uint8 { return id[len(id)-1] & (1<<bits - 1) }

// entryOf is what stands for an ID in a filter: its first half. An ID is a SHA-256
// already.
func entryOf(id object.ID) [bloom.EntrySize]byte { return [bloom.EntrySize]byte(id[:bloom.EntrySize]) }

func (m *Machine) send(to core.PeerID, kind frame.Type, payload []byte, out *[]core.Action) {
	*out = append(*out, core.Send{Peer: to, Protocol: Protocol, Type: kind, Payload: payload})
}

func (m *Machine) blame(peer core.PeerID, f core.Offence, detail string, out *[]core.Action) {
	m.stats.Faults++
	*out = append(*out, core.Penalize{Peer: peer, Offence: f, Detail: detail})
}
