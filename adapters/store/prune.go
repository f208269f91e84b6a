package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/weftnet/weft/protocols/object"
)

// trimBatch is how many tombstones one write deletes: chosen to keep a write small
// (about 400 KiB) when a long log is trimmed.
const trimBatch = 4096

// Each deletion of a range costs every reader until Pebble has compacted it, so
// what is pruned is deleted when it has come to something. Chosen as one
// deletion for each write buffer or, of small objects, for about as many as fit.
const (
	garbageBytes   = bufferBytes
	garbageObjects = 4096
)

// garbage are objects that are pruned and whose bytes may be there.
type garbage struct {
	upTo           map[string]uint64 // by topic; after the start all that ever were pruned
	objects, bytes int               // pruned since the last deletion
}

// PruneObjects gives up the bytes of a topic's objects up to a number; their
// tombstones stay. The space comes back when 4 MiB or 4,096 objects have come together
// and Pebble has compacted, in the background. It does not wait for the disk: a
// crash may bring objects back.
func (s *Store) PruneObjects(topic string, upTo uint64) error {
	s.logging.Lock()
	defer s.logging.Unlock()
	before := s.ends(topic)
	upTo = min(upTo, before.last)
	if upTo <= before.pruned {
		return s.usable()
	}
	add, err := s.measure(topic, before.pruned+1, upTo)
	if err != nil {
		return err
	}
	// Readers know before the bytes go, so that they do not take them for lost.
	s.setEnds(topic, func(e *ends) { e.pruned = upTo })
	if err := s.discard(topic, upTo, add); err != nil {
		s.setEnds(topic, func(e *ends) { e.pruned = before.pruned })
		return err
	}
	if before.tombs != uncounted {
		s.setEnds(topic, func(e *ends) { e.tombs += add.objects })
	}
	return nil
}

// measure counts objects that are about to be pruned.
func (s *Store) measure(topic string, first, last uint64) (g garbage, err error) {
	err = s.walkLog(topic, first, last, func(_ uint64, e entry) bool {
		g.objects++
		g.bytes += e.size
		return true
	})
	return g, err
}

// walkLog goes along the log of a topic until each returns false.
func (s *Store) walkLog(topic string, first, last uint64, each func(seq uint64, e entry) bool) error {
	return s.use(func() (err error) {
		it, err := s.db.NewIter(between(logPrefix, topic, first, last))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, it.Close()) }()
		w := walk{log: it}
		for w.next() && each(w.seq, w.entry) {
		}
		return w.err()
	})
}

// discard notes how far a topic is pruned, and deletes the garbage if it is much.
func (s *Store) discard(topic string, upTo uint64, add garbage) error {
	g := garbage{maps.Clone(s.garbage.upTo), s.garbage.objects + add.objects, s.garbage.bytes + add.bytes}
	g.upTo[topic] = upTo
	err := s.commit(0, pebble.NoSync, func(b *pebble.Batch) error {
		err := b.Set(prunedKey(topic), binary.BigEndian.AppendUint64(nil, upTo), nil)
		if g.objects < garbageObjects && g.bytes < garbageBytes {
			return err
		}
		for t, last := range g.upTo {
			end := append(seqKey(bytesPrefix, t, last), 0)
			err = errors.Join(err, b.DeleteRange(seqKey(bytesPrefix, t, 0), end, nil))
		}
		g = garbage{upTo: make(map[string]uint64)}
		return err
	})
	if err == nil {
		s.garbage = g
	}
	return err
}

// uncounted is the number of a topic's tombstones when it was not asked for yet.
const uncounted = -1

// TrimTombstones forgets the oldest tombstones of a topic, all but keep.
func (s *Store) TrimTombstones(topic string, keep int) error {
	s.logging.Lock()
	defer s.logging.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	log := s.ends(topic)
	if log.tombs == uncounted {
		all, err := s.measure(topic, 0, log.pruned)
		if err != nil {
			return err
		}
		log.tombs = all.objects
		s.setEnds(topic, func(e *ends) { e.tombs = all.objects })
	}
	for extra := log.tombs - max(0, keep); extra > 0; {
		n, err := s.trim(topic, log.pruned, min(extra, trimBatch))
		if n == 0 || err != nil {
			return err
		}
		extra -= n
	}
	return nil
}

type tomb struct {
	seq uint64
	id  object.ID
}

// trim deletes up to most tombstones, and says how many.
func (s *Store) trim(topic string, pruned uint64, most int) (n int, err error) {
	var tombs []tomb
	err = s.walkLog(topic, 0, pruned, func(seq uint64, e entry) bool {
		tombs = append(tombs, tomb{seq, e.id})
		return len(tombs) < most
	})
	if err != nil {
		return 0, err
	}
	err = s.commit(0, pebble.NoSync, func(b *pebble.Batch) error {
		for _, t := range tombs {
			if err := s.forget(b, topic, t); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.setEnds(topic, func(e *ends) { e.tombs -= len(tombs) })
	}
	return len(tombs), err
}

func (s *Store) forget(b *pebble.Batch, topic string, t tomb) error {
	if err := b.Delete(seqKey(logPrefix, topic, t.seq), nil); err != nil {
		return err
	}
	if at, err := s.find(t.id); err != nil || at.topic != topic || at.seq != t.seq {
		return nil // landed again, under another number
	}
	return b.Delete(idKey(idPrefix, t.id), nil)
}

// Anchor makes an object count as held without its bytes. It is on disk when
// Anchor returns.
func (s *Store) Anchor(topic string, id object.ID, now time.Time) error {
	if topic == "" || len(topic) > maxTopic {
		return fmt.Errorf("%w: anchor %s with a topic of %d bytes", ErrRecord, id, len(topic))
	}
	return s.commit(0, s.sync, func(b *pebble.Batch) error {
		return b.Set(idKey(anchorPrefix, id), append(appendTime(nil, now), topic...), nil)
	})
}
