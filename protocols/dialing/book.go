package dialing

import (
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

// maxProven bounds the addresses that worked before; chosen for two transports
// over two IP versions.
const maxProven = 4

// link is what connects us to a known peer now.
type link uint8

const (
	idle link = iota
	dialling
	inbound  // connected, and the peer dialled us
	outbound // connected, and we dialled
	links
)

func (l link) connected() bool { return l == inbound || l == outbound }

// known is one peer of the book.
type known struct {
	id           core.PeerID
	bootstrapper bool
	validator    bool
	saved, heard bool        // tried as a saved peer, as a discovered one
	source       core.Source // the most trusted that named it, when heard

	configured, claimed, proven, hearsay []multiaddr.Multiaddr

	link      link
	since     time.Time // of the link's state
	failures  int       // in a row
	refusals  int       // failed handshakes in a row
	refused   bool      // due is the end of a rejection
	banned    bool      // coolUntil is the end of a ban
	reason    string    // of the last failure or the cool-down
	due       time.Time // not dialled before
	coolUntil time.Time // not dialled before, whatever else happens
	rank      uint64    // the lower is dialled first among equals
	told      bool      // its failing streak was announced
}

// addrs are those to dial, the most trusted first.
func (k *known) addrs(limit int) []multiaddr.Multiaddr {
	return addAddrs(addAddrs(addAddrs(addAddrs(nil, k.configured, limit), k.claimed, limit), k.proven, limit), k.hearsay, limit)
}

func (k *known) reachable() bool {
	return k.bootstrapper || len(k.claimed) > 0 || len(k.proven) > 0 || len(k.hearsay) > 0
}

// dialAt is the earliest time to dial an idle peer.
func (k *known) dialAt() time.Time {
	if k.coolUntil.After(k.due) {
		return k.coolUntil
	}
	return k.due
}

// persist saves where the peer was reached; one that only ever dialled us was
// not reached anywhere.
func (k *known) persist(now time.Time, out *[]core.Effect) {
	if len(k.proven) > 0 {
		*out = append(*out, core.Persist{Record: core.SavedPeer{Peer: k.id, Addrs: slices.Clone(k.proven), LastSeen: now}})
	}
}

// book holds the known peers in the order in which they came, so that one seed
// gives one run. At most max of them are neither connected nor bootstrappers.
type book struct {
	max    int
	byID   map[core.PeerID]*known
	all    []*known
	pinned []*known // the bootstrappers
	links  [links]int
}

func newBook(limit int) book { return book{max: limit, byID: make(map[core.PeerID]*known)} }

func (b *book) get(id core.PeerID) *known { return b.byID[id] }

// add returns the entry of a peer, made if need be; nil when the book is full
// and no candidate has failed. evicted says that one made room.
func (b *book) add(id core.PeerID, rank uint64) (k *known, evicted bool) {
	if k := b.byID[id]; k != nil {
		return k, false
	}
	if b.full() {
		worst := b.worst(1)
		if worst == nil {
			return nil, false
		}
		b.remove(worst)
		evicted = true
	}
	return b.always(id, rank), evicted
}

// always returns the entry of a peer, made even in a full book: for peers whose
// number is bounded elsewhere.
func (b *book) always(id core.PeerID, rank uint64) *known {
	if k := b.byID[id]; k != nil {
		return k
	}
	k := &known{id: id, rank: rank, source: core.SourceDHT}
	b.byID[id] = k
	b.all = append(b.all, k)
	b.links[idle]++
	return k
}

func (b *book) remove(k *known) {
	delete(b.byID, k.id)
	b.all = slices.Delete(b.all, slices.Index(b.all, k), slices.Index(b.all, k)+1)
	b.links[k.link]--
}

func (b *book) setLink(k *known, l link, now time.Time) {
	b.links[k.link]--
	b.links[l]++
	k.link, k.since = l, now
}

func (b *book) pin(k *known) {
	if !slices.Contains(b.pinned, k) {
		b.pinned = append(b.pinned, k)
	}
}

// unpin removes the place of one that is neither bootstrapper nor validator.
func (b *book) unpin(k *known) {
	if !k.bootstrapper && !k.validator {
		b.pinned = slices.DeleteFunc(b.pinned, func(p *known) bool { return p == k })
	}
}

func (b *book) connected() int { return b.links[inbound] + b.links[outbound] }

// full is true when connected peers and bootstrappers are set aside and max
// entries are left.
func (b *book) full() bool { return len(b.all)-len(b.pinned)-b.connected() >= b.max }

// worst is the candidate with the most failures, at least the given number; one
// in cool-down is spared, so that its cool-down is not forgotten.
func (b *book) worst(least int) *known {
	var worst *known
	for _, k := range b.all {
		if k.link != idle || k.bootstrapper || k.validator || k.failures < least || !k.coolUntil.IsZero() {
			continue
		}
		if worst == nil || k.failures > worst.failures {
			worst = k
		}
	}
	return worst
}

// trim drops idle peers that cannot be dialled, and the worst while there are
// too many because connections ended.
func (b *book) trim(now time.Time) {
	b.all = slices.DeleteFunc(b.all, func(k *known) bool {
		if !k.coolUntil.After(now) {
			k.coolUntil = time.Time{}
		}
		useless := k.link == idle && !k.reachable() && !k.validator && k.coolUntil.IsZero()
		if useless {
			delete(b.byID, k.id)
			b.links[idle]--
		}
		return useless
	})
	for len(b.all)-len(b.pinned)-b.connected() > b.max {
		worst := b.worst(0)
		if worst == nil {
			return // all that are left are being dialled or cooling down
		}
		b.remove(worst)
	}
}

// addAddrs appends what is new in more to addrs, without /p2p, up to limit.
func addAddrs(addrs, more []multiaddr.Multiaddr, limit int) []multiaddr.Multiaddr {
	for _, a := range more {
		a, _ = peer.SplitAddr(a)
		if len(addrs) >= limit {
			break
		}
		if len(a) > 0 && !slices.ContainsFunc(addrs, a.Equal) {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

func sameAddrs(a, b []multiaddr.Multiaddr) bool {
	return slices.EqualFunc(a, b, func(x, y multiaddr.Multiaddr) bool { return x.Equal(y) })
}
