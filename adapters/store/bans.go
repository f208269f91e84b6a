package store

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/core"
)

const (
	// MaxSavedBans is how many are kept, of peers and groups together, the longest
	// lasting ones: chosen well above what people can look through.
	MaxSavedBans = 5120
	// BanMemory is how long a ban is told of after its end, since the next one of
	// that peer is longer (FACTS: Basalt escalates to 7 days).
	BanMemory = 7 * 24 * time.Hour

	maxTimes  = 1 << 16 // of one peer; by then a ban could not be longer
	maxReason = 512     // bytes; ours have under 100, and may quote a stranger
	maxGroup  = 64      // bytes; the longest has 21
)

// The first byte of a ban's name.
const (
	namesPeer  = "p"
	namesGroup = "g"
)

const byHand = 1 // in a ban's flags

var banKind = kind[core.SavedBan]{
	prefix: 'x',
	most:   MaxSavedBans,
	name:   banName,
	rank:   banRank,
	append: appendBan,
	parse:  parseBan,
}

// banRank is when a ban ends. Those by hand rank above all others.
func banRank(x core.SavedBan) time.Time {
	if x.ByHand {
		return time.UnixMilli(math.MaxInt64)
	}
	return x.Until
}

// SavedBans are the bans that last at now and, since the next ban of that peer or group
// builds on them, those that ended within BanMemory. The last to end comes first.
func (s *Store) SavedBans(now time.Time) ([]core.SavedBan, error) {
	bans, err := load(s, &s.bans)
	slices.SortStableFunc(bans, func(x, y core.SavedBan) int { return y.Until.Compare(x.Until) })
	return slices.DeleteFunc(bans, func(x core.SavedBan) bool { return !x.Until.Add(BanMemory).After(now) }), err
}

func banName(x core.SavedBan) string {
	switch {
	case x.Peer != "":
		return namesPeer + string(x.Peer)
	case x.Group != "" && len(x.Group) <= maxGroup:
		return namesGroup + string(x.Group)
	}
	return ""
}

func appendBan(b []byte, x core.SavedBan) []byte {
	b = appendTime(b, x.Until)
	b = binary.AppendUvarint(b, uint64(min(max(x.Times, 0), maxTimes)))
	flags := 0
	if x.ByHand {
		flags |= byHand
	}
	b = append(b, byte(flags))
	group := x.Group
	if x.Peer == "" || len(group) > maxGroup {
		group = ""
	}
	b = append(binary.AppendUvarint(b, uint64(len(group))), group...)
	return append(b, strings.ToValidUTF8(x.Reason[:min(len(x.Reason), maxReason)], "")...)
}

func parseBan(name string, value []byte) (none core.SavedBan, err error) {
	x, ok := cutBanName(name)
	if !ok {
		return none, errMalformed
	}
	var rest []byte
	if x.Until, rest, ok = cutTime(value); !ok {
		return none, errMalformed
	}
	if x.Times, rest, ok = uvarint(rest, maxTimes); !ok || len(rest) == 0 || rest[0] > byHand {
		return none, errMalformed
	}
	x.ByHand = rest[0] == byHand
	size, rest, ok := uvarint(rest[1:], maxGroup)
	if !ok || size > len(rest) || size > 0 && x.Peer == "" || len(rest)-size > maxReason {
		return none, errMalformed
	}
	x.Group = cmp.Or(x.Group, core.Group(rest[:size]))
	x.Reason = strings.ToValidUTF8(string(rest[size:]), "")
	return x, nil
}

// cutBanName says whose ban has a name.
func cutBanName(name string) (x core.SavedBan, ok bool) {
	if id, of := strings.CutPrefix(name, namesPeer); of {
		id, err := peer.IDFromBytes([]byte(id))
		return core.SavedBan{Peer: id}, err == nil
	}
	group, of := strings.CutPrefix(name, namesGroup)
	return core.SavedBan{Group: core.Group(group)}, of && group != "" && len(group) <= maxGroup
}
