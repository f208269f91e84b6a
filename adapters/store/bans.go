package store

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/weftnet/weft/protocols/core"
)

const (
	// MaxSavedBans is how many are kept, the longest lasting ones: chosen well
	// above what people can look through.
	MaxSavedBans = 4096
	// BanMemory is how long a ban is told of after its end, since the next one of
	// that peer is longer (FACTS: Basalt escalates to 7 days).
	BanMemory = 7 * 24 * time.Hour

	maxTimes  = 1 << 16 // of one peer; by then a ban could not be longer
	maxReason = 512     // bytes; ours have under 100, and may quote a stranger
)

var banKind = kind[core.SavedBan]{
	prefix: 'b',
	most:   MaxSavedBans,
	peer:   func(x core.SavedBan) core.PeerID { return x.Peer },
	rank:   func(x core.SavedBan) time.Time { return x.Until },
	append: appendBan,
	parse:  parseBan,
}

// SavedBans are the bans that last at now and, since the next ban of that peer
// builds on them, those that ended within BanMemory. The last to end comes first.
func (s *Store) SavedBans(now time.Time) ([]core.SavedBan, error) {
	bans, err := load(s, &s.bans)
	return slices.DeleteFunc(bans, func(x core.SavedBan) bool { return !x.Until.Add(BanMemory).After(now) }), err
}

func appendBan(b []byte, x core.SavedBan) []byte {
	b = appendTime(b, x.Until)
	b = binary.AppendUvarint(b, uint64(min(max(x.Times, 0), maxTimes)))
	return append(b, strings.ToValidUTF8(x.Reason[:min(len(x.Reason), maxReason)], "")...)
}

func parseBan(id core.PeerID, value []byte) (core.SavedBan, error) {
	until, rest, timed := cutTime(value)
	times, reason, ok := uvarint(rest, maxTimes)
	if !timed || !ok || len(reason) > maxReason {
		return core.SavedBan{}, errMalformed
	}
	return core.SavedBan{Peer: id, Until: until, Reason: strings.ToValidUTF8(string(reason), ""), Times: times}, nil
}
