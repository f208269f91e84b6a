package reputation

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// ErrFull says that there are too many bans by hand.
var ErrFull = errors.New("too many bans by hand: lift some first")

// Ban keeps a peer out until a time or, without a peer, all of an IP group.
type Ban struct {
	Peer   core.PeerID
	Group  core.Group // of a peer's ban: where it was; empty: not known, or not public
	Until  time.Time
	Reason string
	Times  int // bans so far
	ByHand bool
}

// table is the bans of peers, or of groups; also past ones, until they are forgiven.
// Half of it may be bans by hand. They give way to no other ban; of the others the one that
// ends first does.
type table[K ~string] struct {
	list map[K]Ban
	most int
}

func newTable[K ~string](most int) table[K] { return table[K]{map[K]Ban{}, most} }

func (t *table[K]) has(now time.Time, key K) bool { return t.list[key].Until.After(now) }

// next is a further ban of key, not put yet.
func (t *table[K]) next(now time.Time, key K, b Ban, cfg *Config) Ban {
	b.Times = 1
	if old, again := t.list[key]; again && now.Sub(old.Until) < cfg.Forgive {
		b.Times = old.Times + 1
	}
	if b.Until.IsZero() {
		b.Until = now.Add(cfg.lasts(b.Times))
	}
	return b
}

func (c *Config) lasts(times int) time.Duration {
	d := c.FirstBan
	for range times - 1 {
		if d *= 2; d >= c.LongestBan {
			return c.LongestBan
		}
	}
	return d
}

// firm says that a ban gives way to nothing.
func firm(now time.Time, b Ban) bool { return b.ByHand && b.Until.After(now) }

// put enters a ban, in place of the one before of the same key.
func (t *table[K]) put(now time.Time, key K, b Ban) error {
	if firm(now, b) && !firm(now, t.list[key]) && t.firm(now) >= t.most/2 {
		return fmt.Errorf("%w: there are %d", ErrFull, t.most/2)
	}
	if _, have := t.list[key]; !have && len(t.list) >= t.most {
		delete(t.list, t.endsFirst(now))
	}
	t.list[key] = b
	return nil
}

func (t *table[K]) firm(now time.Time) (n int) {
	for _, b := range t.list {
		if firm(now, b) {
			n++
		}
	}
	return n
}

// endsFirst is the ban to give way. After a clock was set back all may be firm again:
// then it is one of them.
func (t *table[K]) endsFirst(now time.Time) K {
	return slices.MinFunc(slices.Collect(maps.Keys(t.list)), func(k, l K) int {
		a, b := t.list[k], t.list[l]
		switch f, g := firm(now, a), firm(now, b); {
		case f && !g:
			return 1
		case g && !f:
			return -1
		}
		return cmp.Or(a.Until.Compare(b.Until), cmp.Compare(k, l))
	})
}

// lift ends a ban, and says whether there was one.
func (t *table[K]) lift(now time.Time, key K) bool {
	banned := t.has(now, key)
	delete(t.list, key)
	return banned
}

// Ban bans a peer by hand, for a time or, with zero, for as long as its earlier bans
// deserve.
func (m *Machine) Ban(now time.Time, peer core.PeerID, d time.Duration, reason string) (Ban, error) {
	b := Ban{Peer: peer, Group: m.groupOf(peer), Reason: reason, ByHand: true}
	if d > 0 {
		b.Until = now.Add(d)
	}
	return m.ban(now, b)
}

// BanGroup bans an IP group by hand, as Ban does a peer.
func (m *Machine) BanGroup(now time.Time, group core.Group, d time.Duration, reason string) (Ban, error) {
	b := Ban{Group: group, Reason: reason, ByHand: true}
	if d > 0 {
		b.Until = now.Add(d)
	}
	return m.ban(now, b)
}

func (m *Machine) ban(now time.Time, b Ban) (_ Ban, err error) {
	if b.Peer != "" {
		b = m.peers.next(now, b.Peer, b, &m.cfg)
		err = m.peers.put(now, b.Peer, b)
	} else {
		b = m.groups.next(now, b.Group, b, &m.cfg)
		err = m.groups.put(now, b.Group, b)
	}
	if err != nil {
		return Ban{}, err
	}
	m.stats.Bans++
	if b.Peer == "" {
		m.stats.GroupBans++
	}
	delete(m.scores, b.Peer) // it starts anew after the ban
	return b, nil
}

// Restore takes in a ban of an earlier run, also one that has ended: it makes the next
// one longer.
func (m *Machine) Restore(now time.Time, b Ban) {
	if b.Peer != "" {
		_ = m.peers.put(now, b.Peer, b) // beyond the limit it is left out
	} else if b.Group != "" {
		_ = m.groups.put(now, b.Group, b)
	}
}

// Unban lifts a peer's ban and says whether there was one.
func (m *Machine) Unban(now time.Time, peer core.PeerID) bool { return m.peers.lift(now, peer) }

// UnbanGroup lifts a group's ban and says whether there was one. Those who were the
// cause of it stay banned, and will not be a second time: they are returned as they are
// now.
func (m *Machine) UnbanGroup(now time.Time, group core.Group) (changed []Ban, banned bool) {
	if !m.groups.lift(now, group) {
		return nil, false
	}
	for _, b := range m.offenders(now, group) {
		b.Group = ""
		m.peers.list[b.Peer] = b
		changed = append(changed, b)
	}
	return changed, true
}

// offenders are the banned peers that count against a group, by peer.
func (m *Machine) offenders(now time.Time, group core.Group) (all []Ban) {
	for _, b := range m.peers.list {
		if b.Group == group && !b.ByHand && b.Until.After(now) {
			all = append(all, b)
		}
	}
	slices.SortFunc(all, func(a, b Ban) int { return cmp.Compare(a.Peer, b.Peer) })
	return all
}

// convict bans a group once it has had enough offenders, unless somebody in it behaves
// well.
func (m *Machine) convict(now time.Time, group core.Group, reason string) (Ban, bool) {
	if group == "" || m.groups.has(now, group) {
		return Ban{}, false
	}
	n := len(m.offenders(now, group))
	if n < m.cfg.Offenders {
		return Ban{}, false
	}
	if m.shielded(now, group) {
		m.stats.Shielded++
		return Ban{}, false
	}
	b, err := m.ban(now, Ban{Group: group, Reason: fmt.Sprintf("%d offenders there, the last for %s", n, reason)})
	return b, err == nil
}

// IsBanned says whether a peer is banned now; a group's ban is another matter.
func (m *Machine) IsBanned(now time.Time, peer core.PeerID) bool { return m.peers.has(now, peer) }

// IsGroupBanned says whether a group is banned now.
func (m *Machine) IsGroupBanned(now time.Time, group core.Group) bool {
	return m.groups.has(now, group)
}

// Bans are those in force, the ones that end first first.
func (m *Machine) Bans(now time.Time) []Ban {
	all := slices.AppendSeq(slices.Collect(maps.Values(m.peers.list)), maps.Values(m.groups.list))
	all = slices.DeleteFunc(all, func(b Ban) bool { return !b.Until.After(now) })
	slices.SortFunc(all, func(a, b Ban) int {
		return cmp.Or(a.Until.Compare(b.Until), cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Group, b.Group))
	})
	return all
}
