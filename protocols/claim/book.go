package claim

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// ErrConfig is wrapped by every error of Config.Validate.
var ErrConfig = errors.New("invalid claim book configuration")

// Config says which claims a book takes. Start from DefaultConfig.
type Config struct {
	Network  string                 // claims of other networks are refused
	Self     core.PeerID            // its claims are the Signer's
	Capacity int                    // claims
	Skew     time.Duration          // how far a claim's time may be ahead of our clock
	Want     func(core.PeerID) bool // whose claims are wanted; nil means everyone's
}

// DefaultConfig takes everyone's claims.
func DefaultConfig() Config {
	return Config{
		Capacity: 1 << 14,     // chosen for a network of 8,000, twice over; under 16 MiB when every claim is of the largest
		Skew:     time.Minute, // avalanchego: maximum clock difference
	}
}

// Validate names the first setting that makes no sense.
func (c Config) Validate() error {
	switch {
	case c.Network == "" || len(c.Network) > MaxNetwork:
		return fmt.Errorf("%w: Network has %d bytes: use 1 to %d", ErrConfig, len(c.Network), MaxNetwork)
	case c.Self == "":
		return fmt.Errorf("%w: Self is empty: set it to the node's own peer ID", ErrConfig)
	case c.Capacity < 1:
		return fmt.Errorf("%w: Capacity is %d: it must be at least 1", ErrConfig, c.Capacity)
	case c.Skew < 0:
		return fmt.Errorf("%w: Skew is %v: it must not be negative", ErrConfig, c.Skew)
	}
	return nil
}

// Stats are counters since the start and, at the end, gauges.
type Stats struct {
	Refused [NumReasons]uint64 // by Reason; nothing is refused without one
	Added   uint64             // first claims of a peer
	Renewed uint64             // newer claims of a known peer
	Evicted uint64             // displaced in a full book
	Expired uint64             // dropped when their time was over

	Known, Held, Introducers int
}

// Book keeps the newest claim of each peer. It is owned by one goroutine.
type Book struct {
	cfg    Config
	byPeer map[core.PeerID]*entry
	all    []*entry
	held   map[core.PeerID]struct{}
	intro  introducers
	stats  Stats
}

// entry is the newest claim of one peer.
type entry struct {
	Signed
	index       int           // in Book.all
	by          *introduction // the newest; nil: nobody
	equivocated bool          // a second claim with this timestamp was proven
}

// NewBook makes a book from a valid configuration.
func NewBook(cfg Config) *Book {
	return &Book{
		cfg: cfg, byPeer: make(map[core.PeerID]*entry), held: make(map[core.PeerID]struct{}), intro: newIntroducers(),
	}
}

// Precheck says whether an envelope is worth a signature check: nil, or the
// Reason why not, which is counted. A claim that is Known is booked to from too.
func (b *Book) Precheck(now time.Time, from core.PeerID, raw []byte) error {
	v, err := peek(raw)
	if err == nil {
		err = b.judge(now, from, v)
	}
	return b.Count(err)
}

// judge applies every rule but the signature's.
func (b *Book) judge(now time.Time, from core.PeerID, v view) error {
	if string(v.network) != b.cfg.Network {
		return Network
	}
	if string(v.peer) == string(b.cfg.Self) {
		return Own
	}
	e := b.byPeer[core.PeerID(v.peer)]
	if !b.wants(e, v) {
		return Unwanted
	}
	if err := b.compare(e, from, v); err != nil {
		return err
	}
	ms := now.UnixMilli()
	switch {
	case v.expiry <= ms:
		return Expired
	case v.time > ms+b.cfg.Skew.Milliseconds():
		return Future
	}
	return nil
}

func (b *Book) wants(held *entry, v view) bool {
	switch {
	case b.cfg.Want == nil:
		return true
	case held != nil:
		return b.cfg.Want(held.Peer)
	}
	return b.cfg.Want(core.PeerID(v.peer))
}

// compare sets a claim against the one that is held. Other content under the
// held timestamp passes once: only its signature can tell forgery from
// equivocation.
func (b *Book) compare(held *entry, from core.PeerID, v view) error {
	if held == nil {
		return nil
	}
	t := held.Time.UnixMilli()
	switch {
	case v.time > t:
		return nil
	case v.time == t && b.same(held, v):
		b.introduced(held, from)
		return Known
	case v.time < t || held.equivocated:
		return Stale
	}
	return nil
}

func (b *Book) same(held *entry, v view) bool {
	h, err := peek(held.raw)
	return err == nil && bytes.Equal(h.payload, v.payload)
}

// Add books a claim that from sent. The error is the Reason why not, which is
// counted.
func (b *Book) Add(now time.Time, from core.PeerID, s Signed) error {
	v, err := peek(s.raw)
	if err != nil {
		return b.Count(err)
	}
	if err := b.judge(now, from, v); err != nil {
		return b.Count(err)
	}
	e := b.byPeer[s.Peer]
	switch {
	case e == nil:
		return b.insert(s, from)
	case e.Time.Equal(s.Time):
		e.equivocated = true
		return b.Count(Equivocation)
	}
	e.Signed, e.equivocated = s, false
	b.stats.Renewed++
	b.introduced(e, from)
	return nil
}

func (b *Book) insert(s Signed, from core.PeerID) error {
	if len(b.all) >= b.cfg.Capacity {
		victim := b.intro.victim()
		if victim == nil {
			return b.Count(Full)
		}
		b.remove(victim)
		b.stats.Evicted++
	}
	e := &entry{Signed: s, index: len(b.all)}
	b.byPeer[s.Peer] = e
	b.all = append(b.all, e)
	b.stats.Added++
	b.introduced(e, from)
	return nil
}

// firstHand is the introducer of all claims that came from their own peer. They
// share one, because a peer costs nothing to invent.
const firstHand = core.PeerID("")

// introduced books a claim to who brought it; held claims are booked to nobody.
func (b *Book) introduced(e *entry, from core.PeerID) {
	if _, held := b.held[e.Peer]; held {
		return
	}
	if from == e.Peer {
		from = firstHand
	}
	b.intro.add(e, from)
}

func (b *Book) remove(e *entry) {
	b.intro.dropAll(e)
	delete(b.byPeer, e.Peer)
	last := b.all[len(b.all)-1]
	b.all[e.index], last.index = last, e.index
	b.all[len(b.all)-1] = nil
	b.all = b.all[:len(b.all)-1]
}

// Hold keeps a peer's claim, now or when it comes, from being displaced. The
// caller bounds how many are held: connected peers and validators.
func (b *Book) Hold(id core.PeerID) {
	b.held[id] = struct{}{}
	if e := b.byPeer[id]; e != nil {
		b.intro.dropAll(e)
	}
}

// Release ends Hold. The claim is then one that came first-hand.
func (b *Book) Release(id core.PeerID) {
	if _, held := b.held[id]; !held {
		return
	}
	delete(b.held, id)
	if e := b.byPeer[id]; e != nil {
		b.intro.add(e, firstHand)
	}
}

// Forget drops the claim of a peer, if there is one.
func (b *Book) Forget(id core.PeerID) {
	if e := b.byPeer[id]; e != nil {
		b.remove(e)
	}
}

// Expire drops the claims whose time is over, held or not. It looks at all of
// them: once a minute is often enough.
func (b *Book) Expire(now time.Time) {
	for i := len(b.all) - 1; i >= 0; i-- {
		if e := b.all[i]; e.Expiry.UnixMilli() <= now.UnixMilli() {
			b.remove(e)
			b.stats.Expired++
		}
	}
}

// Get returns the newest claim of a peer.
func (b *Book) Get(id core.PeerID) (Signed, bool) {
	if e := b.byPeer[id]; e != nil {
		return e.Signed, true
	}
	return Signed{}, false
}

// Holds returns the booked claim that an envelope is to the last byte. Known says
// less: it does not look at the signature.
func (b *Book) Holds(raw []byte) (Signed, bool) {
	v, err := peek(raw)
	if err != nil {
		return Signed{}, false
	}
	s, ok := b.Get(core.PeerID(v.peer))
	return s, ok && bytes.Equal(s.raw, raw)
}

// Len is the number of claims; At returns one of them by its place, which any
// change of the book may change.
func (b *Book) Len() int { return len(b.all) }

// At returns the claim at place i, from 0 to Len-1.
func (b *Book) At(i int) Signed { return b.all[i].Signed }

// Count counts a refusal and returns it: Precheck and Add count theirs, the
// caller those of Verify.
func (b *Book) Count(err error) error {
	if r := reasonOf(err); r > 0 && r < NumReasons {
		b.stats.Refused[r]++
	}
	return err
}

// Stats says how the book fares.
func (b *Book) Stats() Stats {
	s := b.stats
	s.Known, s.Held, s.Introducers = len(b.all), len(b.held), len(b.intro.byPeer)
	return s
}
