package dialing

import (
	"slices"
	"time"

	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

// ipBudgets bounds how often an IP is dialled on the word of others, over all
// peers that are said to be there. They plan: an address over budget is dialled
// later, which a refusal would turn into a failure of the peer.
type ipBudgets struct {
	perSecond, most float64
	failure         float64 // tokens of an address that failed, with that of the dial
	max             int
	loopback        bool // counts too

	byIP  map[string]*core.Bucket
	order []string // as they came; those that are full again are dropped from the front
}

func newIPBudgets(cfg *Config) ipBudgets {
	return ipBudgets{
		perSecond: float64(cfg.IPDialsPerMinute) / 60, most: float64(cfg.IPDialsPerMinute),
		failure: float64(cfg.IPFailureCost), max: cfg.MaxIPs, loopback: cfg.LimitLoopback,
		byIP: make(map[string]*core.Bucket),
	}
}

// admit returns those of a peer's addresses that may be dialled now, and the IPs
// that were charged for them. Where that is none, wait is when to try again.
func (b *ipBudgets) admit(now time.Time, k *known, addrs []multiaddr.Multiaddr) (may []multiaddr.Multiaddr, charged []string, wait time.Duration) {
	may = addrs[:0]
	for _, a := range addrs {
		ip, loopback := target(a)
		if loopback && !b.loopback || k.vouched(a) {
			may = append(may, a)
			continue
		}
		u := b.bucket(now, ip)
		if !u.Take(now) {
			if w := u.Wait(now); wait == 0 || w < wait {
				wait = w
			}
			continue
		}
		may, charged = append(may, a), append(charged, ip)
	}
	return may, charged, wait
}

// bucket returns the budget of an IP. When there are too many the oldest is
// given up: whoever drives it out spends the dials of the whole node on that.
func (b *ipBudgets) bucket(now time.Time, ip string) *core.Bucket {
	if u := b.byIP[ip]; u != nil {
		return u
	}
	for len(b.order) > 0 && (len(b.order) >= b.max || b.byIP[b.order[0]].Have(now) >= b.most) {
		delete(b.byIP, b.order[0])
		b.order = b.order[1:]
	}
	u := &core.Bucket{PerSecond: b.perSecond, Most: b.most}
	b.byIP[ip], b.order = u, append(b.order, ip)
	return u
}

// fail charges the IPs of a dial that failed.
func (b *ipBudgets) fail(now time.Time, charged []string) {
	for _, ip := range charged {
		if u := b.byIP[ip]; u != nil {
			u.Spend(now, b.failure-1)
		}
	}
}

// refund gives back what a dial took where it led to the peer, so that many peers
// behind one IP do not wait for each other. at is nil when that is not known.
func (b *ipBudgets) refund(now time.Time, charged []string, at multiaddr.Multiaddr) {
	reached := ""
	if len(at) > 0 {
		reached, _ = target(at)
	}
	for _, ip := range charged {
		if u := b.byIP[ip]; u != nil && (reached == "" || ip == reached) {
			u.Spend(now, -1)
		}
	}
}

// target is the host that a dial of an address concerns: its IP, the /64 of a
// global IPv6 address, since one host may have all of it, or its name.
func target(a multiaddr.Multiaddr) (host string, loopback bool) {
	if a[0].Code() == multiaddr.P_IP6ZONE && len(a) > 1 {
		a = a[1:]
	}
	ip := a[0].RawValue()
	switch a[0].Code() {
	case multiaddr.P_IP4:
		return string(ip), ip[0] == 127
	case multiaddr.P_IP6:
		return target6(ip)
	}
	return a[0].String(), false
}

// mapped begins an IPv4 address in the form of IPv6 (RFC 4291, 2.5.5.2), and
// zeros the IPv6 loopback address, which ends in 1.
var (
	zeros  = make([]byte, 15)
	mapped = append(make([]byte, 10), 0xff, 0xff)
)

func target6(ip []byte) (host string, loopback bool) {
	switch {
	case slices.Equal(ip[:12], mapped):
		return string(ip[12:]), ip[12] == 127
	case slices.Equal(ip[:15], zeros):
		return string(ip), ip[15] == 1
	case ip[0]>>5 == 1: // 2000::/3, global unicast (RFC 4291, 2.4)
		return string(ip[:8]), false
	}
	return string(ip), false
}
