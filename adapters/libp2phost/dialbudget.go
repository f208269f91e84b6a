package libp2phost

import (
	"fmt"
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

const (
	// dialWindow is how long a dial that brought no connection counts.
	dialWindow = time.Minute

	// maxDialIPs bounds the addresses that are remembered; chosen because 16 dials
	// at a time of up to 10 s each meet far fewer in a minute.
	maxDialIPs = 4096
)

// dialBudget bounds the dials to one IP address that bring no connection. Where
// peers can be reached is hearsay: whoever answers DHT queries or identify could
// else have the whole network knock on all ports of a machine. A dial counts from
// its beginning, so that those under way count too; a connection takes back what
// was counted for its peer at that address.
type dialBudget struct {
	limit    int  // per IP address; 0: none
	loopback bool // counts too
	exempt   func(peer.ID) bool
	seed     maphash.Seed

	mu  sync.Mutex
	ips map[netip.Addr][]dialTry // the oldest try first; none is empty
}

// dialTry is a dial of one peer at one multiaddress.
type dialTry struct {
	peer, target uint64 // hashes
	at           time.Time
}

func newDialBudget(cfg Config) *dialBudget {
	return &dialBudget{
		limit: cfg.DialFailuresPerIP, loopback: cfg.LimitLoopback, exempt: cfg.Reserved,
		seed: maphash.MakeSeed(), ips: make(map[netip.Addr][]dialTry),
	}
}

// target returns the IP address that a dial counts for.
func (b *dialBudget) target(addr ma.Multiaddr) (netip.Addr, bool) {
	ip, err := manet.ToIP(addr)
	if err != nil { // not an IP address: none of our transports dials it
		return netip.Addr{}, false
	}
	at, ok := netip.AddrFromSlice(ip)
	at = at.Unmap()
	return at, ok && b.limit > 0 && (b.loopback || !at.IsLoopback())
}

// charge counts a dial, or says why it may not be. A peer that is dialled at the
// same multiaddress again counts once: how often that happens is for others to
// bound.
func (b *dialBudget) charge(now time.Time, p peer.ID, addr ma.Multiaddr) *refusal {
	ip, counts := b.target(addr)
	if !counts || b.exempt(p) {
		return nil
	}
	try := dialTry{b.hash(p), maphash.Bytes(b.seed, addr.Bytes()), now}
	b.mu.Lock()
	defer b.mu.Unlock()
	tries := recent(b.ips[ip], now)
	if len(tries) > 0 {
		b.ips[ip] = tries
	}
	same := func(have dialTry) bool { return have.peer == try.peer && have.target == try.target }
	switch {
	case slices.ContainsFunc(tries, same):
		return nil
	case len(tries) >= b.limit:
		return &refusal{ReasonDialRate, fmt.Sprintf("%d dials to %s within a minute brought no connection: wait a minute, or name the peer as a bootstrapper", len(tries), ip)}
	}
	if len(tries) == 0 && len(b.ips) >= maxDialIPs {
		b.makeRoom(now)
	}
	b.ips[ip] = append(tries, try)
	return nil
}

func (b *dialBudget) hash(p peer.ID) uint64 { return maphash.String(b.seed, string(p)) }

// recent drops the tries that count no longer.
func recent(tries []dialTry, now time.Time) []dialTry {
	return slices.DeleteFunc(tries, func(t dialTry) bool { return now.Sub(t.at) >= dialWindow })
}

// makeRoom forgets the addresses that count no longer, else the one that was
// dialled least recently.
func (b *dialBudget) makeRoom(now time.Time) {
	var oldest netip.Addr
	var at time.Time
	for ip, tries := range b.ips {
		last := tries[len(tries)-1].at
		if now.Sub(last) >= dialWindow {
			delete(b.ips, ip)
		} else if !oldest.IsValid() || last.Before(at) {
			oldest, at = ip, last
		}
	}
	if len(b.ips) >= maxDialIPs {
		delete(b.ips, oldest)
	}
}

// succeeded takes back what was counted for a peer at an address.
func (b *dialBudget) succeeded(p peer.ID, addr ma.Multiaddr) {
	ip, counts := b.target(addr)
	if !counts {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	id := b.hash(p)
	tries := slices.DeleteFunc(b.ips[ip], func(t dialTry) bool { return t.peer == id })
	if len(tries) == 0 {
		delete(b.ips, ip)
		return
	}
	b.ips[ip] = tries
}
