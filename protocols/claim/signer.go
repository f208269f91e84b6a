package claim

import (
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

// Signer signs the node's own claims. It is owned by one goroutine.
//
// A timestamp is max(now, last + 1 ms), so that a clock which was set back does
// not make the node's claims stale. Timestamps beyond now + skew are left out of
// account: nobody can have accepted them, unless our clock is wrong now; and once
// the clock comes near one, a claim is signed that is newer.
type Signer struct {
	network string
	self    core.PeerID
	key     crypto.PrivKey
	skew    time.Duration
	used    []int64 // timestamps, ascending, in milliseconds
	current Signed
	addrs   []multiaddr.Multiaddr // of current
}

// maxUsed bounds the timestamps that are remembered; chosen because only a clock
// that is set to and fro, with new addresses each time, needs more than two.
const maxUsed = 64

// NewSigner makes a signer for a network. highest is the one that Highest
// returned in an earlier run, or the zero time.
func NewSigner(network string, key crypto.PrivKey, skew time.Duration, highest time.Time) (*Signer, error) {
	self, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	s := &Signer{network: network, self: self, key: key, skew: skew}
	if !highest.IsZero() {
		s.used = []int64{highest.UnixMilli()}
	}
	return s, nil
}

// Update returns the node's claim for its present addresses, and whether it was
// signed anew: because they changed, half of its life is over, or the clock
// moved. Addresses that a claim cannot hold, and those beyond MaxAddrs, are left
// out. Call it when addresses change, at Deadline, and every minute, because a
// clock that is set tells nobody.
func (s *Signer) Update(now time.Time, addrs []multiaddr.Multiaddr) (claim Signed, renewed bool, err error) {
	addrs = claimable(addrs)
	ms := now.UnixMilli()
	if !s.due(ms) && sameAddrs(addrs, s.addrs) {
		return s.current, false, nil
	}
	t := time.UnixMilli(s.timestamp(ms))
	signed, err := Seal(Claim{Network: s.network, Peer: s.self, Time: t, Expiry: t.Add(Lifetime), Addrs: addrs}, s.key)
	if err != nil {
		return s.current, false, err
	}
	s.current, s.addrs = signed, addrs
	s.use(t.UnixMilli())
	return signed, true, nil
}

func (s *Signer) use(t int64) {
	at, _ := slices.BinarySearch(s.used, t)
	s.used = slices.Insert(s.used, at, t)
	s.used = s.used[max(0, len(s.used)-maxUsed):]
}

// due says whether the current claim should be replaced whatever the addresses.
func (s *Signer) due(ms int64) bool {
	if s.current.raw == nil {
		return true
	}
	t := s.current.Time.UnixMilli()
	return ms >= t+Lifetime.Milliseconds()/2 || // others should never see it expire
		!s.acceptable(t, ms) || // the clock was set back
		t < s.last(ms) // the clock came near what others may hold
}

// acceptable says whether others, whose clocks are like ours, take a timestamp.
func (s *Signer) acceptable(t, ms int64) bool { return t <= ms+s.skew.Milliseconds() }

// last is the newest timestamp that others may hold and that can be exceeded now.
func (s *Signer) last(ms int64) (last int64) {
	for _, t := range s.used {
		if s.acceptable(t+1, ms) {
			last = t
		}
	}
	return last
}

// timestamp is the next one; never one that was used, as that would be taken for
// equivocation.
func (s *Signer) timestamp(ms int64) int64 {
	t := max(ms, s.last(ms)+1)
	for slices.Contains(s.used, t) {
		t++
	}
	return t
}

// Current is the claim that Update returned last; it has no Bytes before.
func (s *Signer) Current() Signed { return s.current }

// Highest is the highest timestamp ever used, or the zero time. Keep it over
// restarts.
func (s *Signer) Highest() time.Time {
	if len(s.used) == 0 {
		return time.Time{}
	}
	return time.UnixMilli(s.used[len(s.used)-1])
}

// Deadline is when Update has something to do if neither addresses nor clock are
// changed; the zero time before the first Update.
func (s *Signer) Deadline() time.Time {
	if s.current.raw == nil {
		return time.Time{}
	}
	at := s.current.Time.Add(Lifetime / 2)
	newer, found := slices.BinarySearch(s.used, s.current.Time.UnixMilli())
	if found {
		newer++
	}
	if newer < len(s.used) {
		at = core.Earliest(at, time.UnixMilli(s.used[newer]+1).Add(-s.skew))
	}
	return at
}

// claimable returns the addresses that a claim can hold, each once, the first
// ones first.
func claimable(addrs []multiaddr.Multiaddr) []multiaddr.Multiaddr {
	var kept []multiaddr.Multiaddr
	for _, a := range addrs {
		a, _ = peer.SplitAddr(a)
		if len(kept) < MaxAddrs && len(a) > 0 && Usable(a) && !slices.ContainsFunc(kept, a.Equal) {
			kept = append(kept, a)
		}
	}
	return kept
}

// sameAddrs compares sets: both sides hold each address once.
func sameAddrs(a, b []multiaddr.Multiaddr) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(x multiaddr.Multiaddr) bool {
		return !slices.ContainsFunc(b, x.Equal)
	})
}
