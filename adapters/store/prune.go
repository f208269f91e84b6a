package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/weftnet/weft/protocols/object"
)

// trimBatch is how many tombstones one write deletes: chosen to keep a write small
// (about 300 KiB) when a long log is trimmed.
const trimBatch = 4096

// PruneObjects deletes the bytes of a topic's objects up to a number; their
// tombstones stay. The space comes back when Pebble has compacted, in the
// background. It does not wait for the disk: a crash may bring the bytes back.
func (s *Store) PruneObjects(topic string, upTo uint64) error {
	s.logging.Lock()
	defer s.logging.Unlock()
	before := s.ends(topic)
	upTo = min(upTo, before.last)
	if upTo <= before.pruned {
		return nil
	}
	// Readers know before the bytes go, so that they do not take them for lost.
	s.setPruned(topic, upTo)
	err := s.commit(0, pebble.NoSync, func(b *pebble.Batch) error {
		return errors.Join(
			b.Set(prunedKey(topic), binary.BigEndian.AppendUint64(nil, upTo), nil),
			b.DeleteRange(seqKey(bytesPrefix, topic, 0), append(seqKey(bytesPrefix, topic, upTo), 0), nil),
		)
	})
	if err != nil {
		s.setPruned(topic, before.pruned)
	}
	return err
}

func (s *Store) setPruned(topic string, upTo uint64) {
	s.endsMu.Lock()
	defer s.endsMu.Unlock()
	s.logs[topic] = ends{upTo, s.logs[topic].last}
}

// TrimTombstones forgets the oldest tombstones of a topic, all but keep.
func (s *Store) TrimTombstones(topic string, keep int) error {
	s.logging.Lock()
	defer s.logging.Unlock()
	var tombs []tomb
	err := s.use(func() (err error) {
		tombs, err = s.tombs(topic)
		return err
	})
	if err != nil {
		return err
	}
	for tombs = tombs[:max(0, len(tombs)-max(0, keep))]; len(tombs) > 0; {
		n := min(len(tombs), trimBatch)
		if err := s.trim(topic, tombs[:n]); err != nil {
			return err
		}
		tombs = tombs[n:]
	}
	return nil
}

type tomb struct {
	seq uint64
	id  object.ID
}

// tombs are the tombstones of a topic, the oldest first.
func (s *Store) tombs(topic string) (tombs []tomb, err error) {
	it, err := s.db.NewIter(between(logPrefix, topic, 0, s.ends(topic).pruned))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	w := walk{log: it}
	for w.next() {
		tombs = append(tombs, tomb{w.seq, w.entry.id})
	}
	return tombs, w.err()
}

func (s *Store) trim(topic string, tombs []tomb) error {
	return s.commit(0, pebble.NoSync, func(b *pebble.Batch) error {
		for _, t := range tombs {
			at, err := s.find(t.id)
			if err != nil || at.topic != topic || at.seq != t.seq {
				continue // landed again meanwhile, under another number
			}
			if err := b.Delete(idKey(idPrefix, t.id), nil); err != nil {
				return err
			}
		}
		end := append(seqKey(logPrefix, topic, tombs[len(tombs)-1].seq), 0)
		return b.DeleteRange(seqKey(logPrefix, topic, 0), end, nil)
	})
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
