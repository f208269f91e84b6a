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

// direction says who dialled the connections with a peer that there are now.
type direction uint8

const (
	idle     direction = iota
	inbound            // the peer dialled us
	outbound           // we dialled
	both
	directions
)

func directionOf(in, out bool) direction {
	switch {
	case in && out:
		return both
	case out:
		return outbound
	case in:
		return inbound
	}
	return idle
}

func (d direction) in() bool  { return d == inbound || d == both }
func (d direction) out() bool { return d == outbound || d == both }

// known is one peer of the book. Whoever changes it files it anew: see book.file.
// There are thousands, so the small fields stand together.
type known struct {
	id core.PeerID

	// Where it may be reached, the most trusted first. claimed is its newest claim,
	// hearsay what the DHT and mDNS said.
	configured, claimed, proven, hearsay places

	by        *teller   // for whose turn it waits; nil: nobody named it
	dial      *dial     // without an answer yet
	reason    string    // of the last failure, rejection or cool-down
	since     time.Time // when it was connected
	due       time.Time // not dialled, or dialled back, before
	coolUntil time.Time // not dialled before, whatever else happens

	in  [slots]*queue
	at  [slots]int32
	seq uint32 // the order in which the peers came

	rank      uint32 // the lower is dialled first among equals
	failures  uint32 // dials and short connections in a row
	refusals  uint32 // failed handshakes in a row
	postponed uint32 // dials put off in a row

	bootstrapper, validator bool
	saved, heard            bool        // tried as a saved peer, as a discovered one
	source                  core.Source // the most trusted that named it, when heard
	confirmed               uint8       // so many of proven are of this run, not of an earlier one

	direction direction
	guest     bool // connected, without a place
	own       bool // connected by a dial of our own accord: counts towards the degree
	chose     bool // that dial is or was under way
	settled   bool // its claim is saved
	refused   bool // due is the end of a rejection
	full      bool // because there was no place
	banned    bool // coolUntil is the end of a ban
	told      bool // its failing streak was announced

	counted class
}

// dial is one that has no answer yet.
type dial struct {
	at      time.Time
	lane    lane    // changes with the peer
	by      *teller // of the peer when it began
	addrs   []multiaddr.Multiaddr
	charged []string // IPs, one for each address that was dialled within their budgets
}

func (k *known) pinned() bool { return k.bootstrapper || k.validator }

// lane is the kind of dial that it takes.
func (k *known) lane() lane {
	switch {
	case k.connected():
		return back
	case k.pinned():
		return pinned
	}
	return candidates
}

func (k *known) connected() bool { return k.direction != idle }
func (k *known) tries() int      { return int(k.failures) + int(k.refusals) }

// hearsayOnly says that nobody but strangers told where it is.
func (k *known) hearsayOnly() bool {
	return len(k.configured)+len(k.claimed)+len(k.proven) == 0
}

// trust orders candidates by what backs them: hearsay, a claim, a connection.
func (k *known) trust() int {
	switch {
	case len(k.proven) > 0:
		return 2
	case len(k.claimed) > 0:
		return 1
	}
	return 0
}

func (k *known) reachable() bool { return k.bootstrapper || !k.hearsayOnly() || len(k.hearsay) > 0 }

// addrs are those to dial, the most trusted first.
func (k *known) addrs(cfg *Config) []multiaddr.Multiaddr {
	hearsay := k.hearsay.addrs()
	all := k.configured.addrs()
	for _, more := range [][]multiaddr.Multiaddr{k.claimed.addrs(), k.proven.addrs(), hearsay[:min(len(hearsay), cfg.MaxHearsay)]} {
		all = addAddrs(all, more, cfg.MaxAddrs)
	}
	return all
}

// vouched says that an address cannot be a third party's: the operator named it,
// or the peer was reached there.
func (k *known) vouched(a multiaddr.Multiaddr) bool {
	i := k.proven.find(a)
	return k.configured.has(a) || i >= 0 && i < int(k.confirmed)
}

// dialAt is the earliest time to dial it.
func (k *known) dialAt() time.Time {
	if k.coolUntil.After(k.due) {
		return k.coolUntil
	}
	return k.due
}

// held says that a rejection keeps it from being dialled.
func (k *known) held(now time.Time) bool { return k.refused && k.due.After(now) }

// wait puts off the next dial; a rejection is never shortened.
func (k *known) wait(now time.Time, d time.Duration) {
	if k.refused = k.held(now); k.refused {
		k.due = later(k.due, now.Add(d))
		return
	}
	k.due = now.Add(d)
}

// learn takes in where a source says that the peer is, and says whether that is
// new. addrs is the result of cleaned.
func (k *known) learn(from core.Source, addrs []multiaddr.Multiaddr, limit int) bool {
	fresh := !k.heard
	k.heard, k.source = true, min(k.source, from)
	if from == core.SourceClaim {
		if k.claimed.equal(addrs) {
			return fresh
		}
		k.claimed = pack(addrs)
		return true
	}
	var unheard []multiaddr.Multiaddr
	for _, a := range addrs {
		if !k.hearsay.has(a) {
			unheard = append(unheard, a)
		}
	}
	if len(unheard) > 0 {
		// The newest come first, but false ones cannot push true ones out at a stroke.
		k.hearsay = pack(addAddrs(unheard, k.hearsay.addrs(), limit))
	}
	return fresh || len(unheard) > 0
}

// prove notes where the peer was reached.
func (k *known) prove(at multiaddr.Multiaddr) {
	at, _ = peer.SplitAddr(at)
	if i := k.proven.find(at); i < 0 || i >= int(k.confirmed) {
		k.confirmed = min(k.confirmed+1, maxProven)
	}
	k.proven = pack(addAddrs([]multiaddr.Multiaddr{at}, k.proven.addrs(), maxProven))
}

// turnHearsay puts the addresses that were dialled behind those that were not.
func (k *known) turnHearsay(n int) {
	if all := k.hearsay.addrs(); len(all) > n {
		k.hearsay = pack(slices.Concat(all[n:], all[:n]))
	}
}

// cleaned returns addresses without /p2p and without repeats, up to limit. It
// returns its argument where there is nothing to clean, as is usual.
func cleaned(addrs []multiaddr.Multiaddr, limit int) []multiaddr.Multiaddr {
	clean := len(addrs) <= limit
	for i, a := range addrs {
		clean = clean && len(a) > 0 && a[len(a)-1].Code() != multiaddr.P_P2P && !slices.ContainsFunc(addrs[:i], a.Equal)
	}
	if clean {
		return addrs[:len(addrs):len(addrs)]
	}
	return addAddrs(nil, addrs, limit)
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

// without returns a new list of what is not among the others.
func without(addrs, others []multiaddr.Multiaddr) (rest []multiaddr.Multiaddr) {
	for _, a := range addrs {
		if !slices.ContainsFunc(others, a.Equal) {
			rest = append(rest, a)
		}
	}
	return rest
}
