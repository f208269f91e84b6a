package dissemination

import (
	"cmp"
	"crypto/ed25519"
	"slices"
	"time"

	"github.com/weftnet/weft/protocols/object"
)

// Entry is a held object in its topic's log.
type Entry struct {
	Seq    uint64
	ID     object.ID
	Size   int // bytes
	Landed time.Time
}

// log is what a node has of a topic: the objects that it holds, in the order in
// which they became valid, and the IDs of those that it pruned.
type log struct {
	Topic
	authors  map[string]bool // of Listed
	entries  []Entry
	bytes    int64
	next     uint64      // sequence number
	pruned   []object.ID // tombstones and anchors, the oldest first
	prunedTo uint64      // the last of the entries that were pruned

	fading      []Entry // pruned, and their bytes are still there
	fadingBytes int64
	goneTo      uint64    // the last of those whose bytes are gone
	tidyAt      time.Time // when the log is to be looked at; zero: never
}

func newLog(t Topic) *log {
	l := &log{next: 1}
	l.configure(t)
	return l
}

func (l *log) configure(t Topic) {
	l.Topic, l.authors = t, make(map[string]bool, len(t.Keys))
	for _, k := range t.Keys {
		l.authors[string(k)] = true
	}
}

// mayAuthor says whether an author, nil for nobody, may write to the topic.
func (l *log) mayAuthor(author ed25519.PublicKey, validators map[string]bool) bool {
	switch l.Authors {
	case Validators:
		return validators[string(author)]
	case Listed:
		return l.authors[string(author)]
	}
	return true
}

func (l *log) add(e Entry) {
	l.entries = append(l.entries, e)
	l.bytes += int64(e.Size)
	l.next = max(l.next, e.Seq+1)
}

// from is the index of the first entry after a sequence number.
func (l *log) from(seq uint64) int {
	i, _ := slices.BinarySearchFunc(l.entries, seq, func(e Entry, seq uint64) int {
		if e.Seq <= seq {
			return -1
		}
		return 1
	})
	return i
}

// since is the index of the first entry that landed at a time or later. A clock that
// was set back hides some; they are told of by a question that goes further back.
func (l *log) since(t time.Time) int {
	i, _ := slices.BinarySearchFunc(l.entries, t, func(e Entry, t time.Time) int { return cmp.Or(e.Landed.Compare(t), 1) })
	return i
}

// recent hands out the IDs of what is held or pruned and landed since a time, the
// newest first. When a pruned one landed is forgotten: it counts as old as the oldest
// that is held.
func (l *log) recent(since time.Time, each func(object.ID) bool) {
	for i := len(l.entries) - 1; i >= 0; i-- {
		if l.entries[i].Landed.Before(since) || !each(l.entries[i].ID) {
			return
		}
	}
	for i := len(l.pruned) - 1; i >= 0 && each(l.pruned[i]); i-- {
	}
}

// horizon is the landing time before which objects would be pruned at once.
func (l *log) horizon(now time.Time) time.Time {
	oldest := now.Add(-l.Keep.Age)
	if full := len(l.entries) >= l.Keep.Objects || l.bytes >= l.Keep.Bytes*9/10; full && l.entries[0].Landed.After(oldest) {
		return l.entries[0].Landed
	}
	return oldest
}
