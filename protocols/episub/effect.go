package episub

import (
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// Effect is what the adapter does for a topic.
type Effect interface{ effect() }

// Choke asks a peer not to push to us any more, but to announce: a PRUNE.
type Choke struct{ Peer core.PeerID }

// Unchoke asks a peer to push to us: a GRAFT.
type Unchoke struct{ Peer core.PeerID }

// Announce tells a peer what we have: an IHAVE.
type Announce struct {
	Peer core.PeerID
	IDs  []string
}

// Ask asks a peer for messages that it announced: an IWANT.
type Ask struct {
	Peer core.PeerID
	IDs  []string
}

// Push gives a peer the message that was just accepted, which it would not get
// through gossipsub's mesh.
type Push struct{ Peer core.PeerID }

// Withheld tells that a peer again and again did not give what it had announced.
type Withheld struct{ Peer core.PeerID }

// Changed tells that a peer has changed its tier, and why.
type Changed struct {
	Peer   core.PeerID
	To     Tier
	Reason Reason
}

func (Choke) effect()    {}
func (Unchoke) effect()  {}
func (Announce) effect() {}
func (Ask) effect()      {}
func (Push) effect()     {}
func (Withheld) effect() {}
func (Changed) effect()  {}

// Tier is how messages come to us from a peer.
type Tier uint8

// The tiers.
const (
	Lazy  Tier = iota // it announces, and is asked
	Eager             // it pushes
)

func (t Tier) String() string {
	if t == Eager {
		return "eager"
	}
	return "lazy"
}

// Reason is why a peer changed its tier.
type Reason string

// The reasons.
const (
	ReasonFew       Reason = "too few push to us"
	ReasonRandom    Reason = "kept by chance, against eclipse"
	ReasonFaster    Reason = "brings messages sooner than others"
	ReasonUseful    Reason = "saves delay"
	ReasonSlower    Reason = "others bring messages sooner"
	ReasonCopies    Reason = "brings little but copies"
	ReasonMany      Reason = "more push to us than are of use"
	ReasonGroup     Reason = "too many of its address group"
	ReasonAsked     Reason = "it joined our mesh"
	ReasonMesh      Reason = "gossipsub joined its mesh"
	ReasonRefused   Reason = "it does not push to us"
	ReasonAnnounces Reason = "it announces instead of pushing"
	ReasonWithholds Reason = "it does not give what it announces"
	ReasonSilent    Reason = "nothing comes from it any more"
	ReasonPlain     Reason = "a plain peer, for the network's other half"
)

// Peer is what is known of a peer when it comes to a topic.
type Peer struct {
	ID      core.PeerID
	Episub  bool   // it speaks episub; else it is plain, and never choked
	Group   string // of its public address; empty: none, and no limit
	Dialled bool   // by us
}

// PeerView is how a peer stands.
type PeerView struct {
	Peer
	Tier    Tier
	Reason  Reason // of its tier
	Since   time.Time
	Random  bool          // eager by chance
	Pushed  bool          // we push to it
	First   uint64        // messages that it brought first
	Copies  uint64        // messages that it brought too late
	Delay   time.Duration // mean, after the first sign of a message, over Samples
	Samples int           // messages compared; 0: Delay is not known
}

// Stats are counters since the start and, at the end, gauges.
type Stats struct {
	Chokes, Unchokes       uint64 // sent
	Choked, Unchoked       uint64 // received
	Refused                uint64 // unchokes that the peer did not follow
	Announced, Asked       uint64 // message IDs sent
	Pulled                 uint64 // messages that came because we asked
	Retried, GivenUp       uint64 // requests after the first, messages given up
	Unanswered             uint64 // requests that were not answered in time
	Pushed                 uint64 // copies of our own messages, and to plain peers, beyond the mesh
	First, Copies          uint64 // messages received, copies after them
	Dropped                uint64 // announced IDs over a bound
	Eager, Lazy, Plain     int
	PushedTo, Known, Wants int
	PushTime               time.Duration // that a push takes, beyond the time of the way; of several topics the longest
}

// Add adds up the statistics of several topics.
func (s *Stats) Add(o Stats) {
	for _, f := range []struct{ sum, more *uint64 }{
		{&s.Chokes, &o.Chokes}, {&s.Unchokes, &o.Unchokes}, {&s.Choked, &o.Choked}, {&s.Unchoked, &o.Unchoked},
		{&s.Refused, &o.Refused}, {&s.Announced, &o.Announced}, {&s.Asked, &o.Asked}, {&s.Pulled, &o.Pulled},
		{&s.Retried, &o.Retried}, {&s.GivenUp, &o.GivenUp}, {&s.Unanswered, &o.Unanswered}, {&s.Pushed, &o.Pushed}, {&s.First, &o.First},
		{&s.Copies, &o.Copies}, {&s.Dropped, &o.Dropped},
	} {
		*f.sum += *f.more
	}
	s.PushTime = max(s.PushTime, o.PushTime)
	for _, f := range []struct{ sum, more *int }{
		{&s.Eager, &o.Eager}, {&s.Lazy, &o.Lazy}, {&s.Plain, &o.Plain},
		{&s.PushedTo, &o.PushedTo}, {&s.Known, &o.Known}, {&s.Wants, &o.Wants},
	} {
		*f.sum += *f.more
	}
}

// Counters are the statistics of a topic that was left: what was counted stays.
func (s Stats) Counters() Stats {
	s.Eager, s.Lazy, s.Plain, s.PushedTo, s.Known, s.Wants, s.PushTime = 0, 0, 0, 0, 0, 0, 0
	return s
}
