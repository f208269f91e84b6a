package store

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/weftnet/weft/protocols/object"
)

const (
	maxObject = 16 << 20 // bytes of one, encoded: DESIGN.md's largest message
	// MaxBatch is how many bytes of objects one write takes. Chosen to hold four of
	// the largest; until it is on disk a batch is in memory twice.
	MaxBatch = 4 * maxObject
)

// ObjectRecord is an object in the log of its topic. Sequence numbers begin at 1.
type ObjectRecord struct {
	Topic  string
	Seq    uint64
	ID     object.ID
	Landed time.Time // kept to the millisecond
	Bytes  []byte
}

// ends are where the log of a topic begins and ends.
type ends struct {
	pruned uint64 // up to this number the bytes are gone, or may go
	last   uint64 // on disk
	tombs  int    // tombstones; uncounted until somebody asks
}

// SaveObjects adds objects to the logs of their topics: all or none, in one write
// that is on disk when SaveObjects returns. Numbers ascend within each topic and
// go on after those that are there; ErrRecord says that they do not, that a topic
// or an object has an impossible size, or that the objects exceed MaxBatch. On
// ErrFull nothing was written and a later call may succeed. One call writes at a time:
// whoever has many objects gathers them.
func (s *Store) SaveObjects(records []ObjectRecord) error {
	s.logging.Lock()
	defer s.logging.Unlock()
	last, total, err := s.follow(records)
	if err != nil {
		return err
	}
	err = s.commit(total, s.sync, func(b *pebble.Batch) error {
		for _, r := range records {
			if err := putObject(b, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for topic, seq := range last { // only now ObjectLog may see them
		s.setEnds(topic, func(e *ends) { e.last = seq })
	}
	return nil
}

// follow checks that records continue the logs, and says where these end then.
func (s *Store) follow(records []ObjectRecord) (last map[string]uint64, total int, err error) {
	last = make(map[string]uint64)
	for _, r := range records {
		before, ok := last[r.Topic]
		if !ok {
			before = s.ends(r.Topic).last
		}
		if err := checkObject(r, before); err != nil {
			return nil, 0, err
		}
		last[r.Topic] = r.Seq
		if total += len(r.Bytes); total > MaxBatch {
			return nil, 0, fmt.Errorf("%w: objects of over %d bytes at once: save them in several calls", ErrRecord, MaxBatch)
		}
	}
	return last, total, nil
}

func checkObject(r ObjectRecord, before uint64) error {
	switch {
	case r.Topic == "" || len(r.Topic) > maxTopic:
		return fmt.Errorf("%w: object %s with a topic of %d bytes", ErrRecord, r.ID, len(r.Topic))
	case len(r.Bytes) == 0 || len(r.Bytes) > maxObject:
		return fmt.Errorf("%w: object %s of %d bytes", ErrRecord, r.ID, len(r.Bytes))
	case r.Seq <= before:
		return fmt.Errorf("%w: object %s has number %d, but %d is in the log of %q", ErrRecord, r.ID, r.Seq, before, r.Topic)
	}
	return nil
}

func putObject(b *pebble.Batch, r ObjectRecord) error {
	return errors.Join(
		b.Set(seqKey(bytesPrefix, r.Topic, r.Seq), r.Bytes, nil),
		b.Set(seqKey(logPrefix, r.Topic, r.Seq), entry{r.ID, r.Landed, len(r.Bytes)}.append(nil), nil),
		b.Set(idKey(idPrefix, r.ID), place{r.Topic, r.Seq, r.Landed}.append(nil), nil),
	)
}

func (s *Store) ends(topic string) ends {
	s.endsMu.RLock()
	defer s.endsMu.RUnlock()
	return s.logs[topic]
}

func (s *Store) setEnds(topic string, change func(*ends)) {
	s.endsMu.Lock()
	defer s.endsMu.Unlock()
	e := s.logs[topic]
	change(&e)
	s.logs[topic] = e
}

// LastSeq is the number of a topic's last object, also when it has been pruned and
// its tombstone trimmed; 0 when there never was one.
func (s *Store) LastSeq(topic string) uint64 { return s.ends(topic).last }

// Object reads an object, and checks that it is the one that its ID names:
// ErrDamaged otherwise. ErrPruned means that it is held without its bytes, with
// ErrAnchored if they never were here. The record is not shared.
func (s *Store) Object(id object.ID) (r ObjectRecord, err error) {
	err = s.use(func() error {
		r, err = s.object(id)
		return err
	})
	return r, err
}

func (s *Store) object(id object.ID) (ObjectRecord, error) {
	at, err := s.find(id)
	if err != nil {
		return ObjectRecord{}, err
	}
	value, closer, err := s.db.Get(seqKey(bytesPrefix, at.topic, at.seq))
	if err == nil {
		defer closer.Close()
	}
	switch {
	case at.seq <= s.ends(at.topic).pruned:
		return ObjectRecord{}, fmt.Errorf("%w: %s", ErrPruned, id)
	case errors.Is(err, pebble.ErrNotFound):
		return ObjectRecord{}, fmt.Errorf("%w: the bytes of object %s are missing", ErrDamaged, id)
	case err != nil:
		return ObjectRecord{}, damagedObject(id, err)
	}
	r := ObjectRecord{at.topic, at.seq, id, at.landed, slices.Clone(value)}
	return r, r.check()
}

func (r ObjectRecord) check() error {
	if object.IDOf(r.Bytes) != r.ID {
		return fmt.Errorf("%w: what is stored as object %s has another hash", ErrDamaged, r.ID)
	}
	return nil
}

func damagedObject(id object.ID, err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: object %s: %w", ErrDamaged, id, err)
	}
	return fmt.Errorf("reading object %s: %w", id, err)
}

// find says where an object stands.
func (s *Store) find(id object.ID) (place, error) {
	value, err := s.get(idKey(idPrefix, id))
	if err != nil {
		return place{}, damagedObject(id, err)
	}
	if value != nil {
		at, ok := parsePlace(value)
		if !ok {
			return place{}, fmt.Errorf("%w: it does not say where object %s is", ErrDamaged, id)
		}
		return at, nil
	}
	if value, err = s.get(idKey(anchorPrefix, id)); err != nil {
		return place{}, damagedObject(id, err)
	}
	if value != nil {
		return place{}, fmt.Errorf("%w: %s", ErrAnchored, id)
	}
	return place{}, fmt.Errorf("%w: %s", ErrNotFound, id)
}

// get reads a small value, or nil if there is none.
func (s *Store) get(key []byte) ([]byte, error) {
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return slices.Clone(value), nil
}
