package discovery

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/weftnet/weft/protocols/core"
)

// Key is the Ed25519 public key of a consensus identity.
type Key [32]byte

// admissions are who is a member and who a validator.
type admissions struct {
	listed map[core.PeerID]bool   // the member list
	peers  map[core.PeerID]uint64 // validators by peer ID, with weights
	keys   map[Key]uint64         // validators by consensus key
	proven map[Key]core.PeerID    // who proved a key last; bounded by keys
}

func (a *admissions) setMembers(peers []core.PeerID) {
	a.listed = make(map[core.PeerID]bool, len(peers))
	for _, p := range peers {
		a.listed[p] = true
	}
}

func (a *admissions) setValidators(c SetValidators) {
	a.peers, a.keys = c.Peers, c.Keys
	maps.DeleteFunc(a.proven, func(k Key, _ core.PeerID) bool { _, still := c.Keys[k]; return !still })
}

func (a *admissions) isKey(key []byte) bool {
	if len(key) != len(Key{}) {
		return false
	}
	_, ok := a.keys[Key(key)]
	return ok
}

// prove notes that a peer proved a key, and says whether that made a validator.
func (a *admissions) prove(peer core.PeerID, key []byte) bool {
	if !a.isKey(key) || a.proven[Key(key)] == peer {
		return false
	}
	if a.proven == nil {
		a.proven = map[Key]core.PeerID{}
	}
	a.proven[Key(key)] = peer
	return true
}

// validators are the peers of the set, with weights. A peer that holds several
// places has the sum.
func (a *admissions) validators() map[core.PeerID]uint64 {
	all := make(map[core.PeerID]uint64, len(a.peers)+len(a.proven))
	maps.Copy(all, a.peers)
	for key, peer := range a.proven {
		if sum := all[peer] + a.keys[key]; sum >= all[peer] {
			all[peer] = sum
		} else {
			all[peer] = math.MaxUint64
		}
	}
	return all
}

// members are those who need no proof.
func (a *admissions) members() []core.PeerID {
	all := maps.Clone(a.listed)
	if all == nil {
		all = map[core.PeerID]bool{}
	}
	for p := range a.peers {
		all[p] = true
	}
	return sorted(all)
}

func (a *admissions) isMember(peer core.PeerID) bool {
	if _, validator := a.peers[peer]; validator || a.listed[peer] {
		return true
	}
	for _, p := range a.proven {
		if p == peer {
			return true
		}
	}
	return false
}

// sorted returns the keys of a map in order, so that a run repeats from its seed.
func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
