package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/weftnet/weft/protocols/object"
)

// ObjectLog reads the objects of a topic that come after a number and are on disk,
// in order, without those that are pruned: at most limit of them and maxBytes of
// their bytes, but the first whatever its size. Their hashes are checked: a damaged
// one ends the reading, and is ErrDamaged when it is the first.
func (s *Store) ObjectLog(topic string, after uint64, limit, maxBytes int) (records []ObjectRecord, err error) {
	err = s.use(func() error {
		records, err = s.readLog(topic, after, limit, maxBytes)
		return err
	})
	return records, err
}

func (s *Store) readLog(topic string, after uint64, limit, maxBytes int) (records []ObjectRecord, err error) {
	log := s.ends(topic)
	after = max(after, log.pruned)
	if after >= log.last || limit <= 0 {
		return nil, nil
	}
	w, err := s.newWalk(topic, after+1, log.last)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	for len(records) < limit && w.next() {
		if maxBytes -= w.entry.size; maxBytes < 0 && len(records) > 0 {
			break
		}
		r, err := w.record(topic)
		if errors.Is(err, errPrunedMeanwhile) {
			continue
		}
		if err != nil && len(records) > 0 {
			break
		}
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, w.err()
}

var errPrunedMeanwhile = errors.New("pruned meanwhile")

// walk goes along the log of a topic and, when asked, along the bytes beside it.
type walk struct {
	log, bytes *pebble.Iterator
	started    bool
	seq        uint64
	entry      entry
}

func (s *Store) newWalk(topic string, first, last uint64) (*walk, error) {
	log, err := s.db.NewIter(between(logPrefix, topic, first, last))
	if err != nil {
		return nil, err
	}
	// A clone sees what the first one sees, whatever is written meanwhile.
	bytes, err := log.Clone(pebble.CloneOptions{IterOptions: between(bytesPrefix, topic, first, last)})
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return &walk{log: log, bytes: bytes}, nil
}

// between are the keys of a topic from first to last.
func between(prefix byte, topic string, first, last uint64) *pebble.IterOptions {
	return &pebble.IterOptions{LowerBound: seqKey(prefix, topic, first), UpperBound: append(seqKey(prefix, topic, last), 0)}
}

// next goes to the next entry; malformed ones are left out.
func (w *walk) next() bool {
	for w.step() {
		var ok1, ok2 bool
		_, w.seq, ok1 = cutSeqKey(w.log.Key()[1:])
		if w.entry, ok2 = parseEntry(w.log.Value()); ok1 && ok2 {
			return true
		}
	}
	return false
}

func (w *walk) step() bool {
	if w.started {
		return w.log.Next()
	}
	w.started = true
	return w.log.First()
}

// record reads the object of the entry.
func (w *walk) record(topic string) (ObjectRecord, error) {
	key := w.log.Key()
	found := w.bytes.Valid() && w.bytes.Next() && bytes.Equal(w.bytes.Key()[1:], key[1:])
	if !found { // at the start, or after a gap
		seek := append([]byte{bytesPrefix}, key[1:]...)
		found = w.bytes.SeekGE(seek) && bytes.Equal(w.bytes.Key(), seek)
	}
	if err := w.bytes.Error(); err != nil {
		return ObjectRecord{}, damagedObject(w.entry.id, err)
	}
	if !found {
		return ObjectRecord{}, errPrunedMeanwhile
	}
	value, err := w.bytes.ValueAndErr()
	if err != nil {
		return ObjectRecord{}, damagedObject(w.entry.id, err)
	}
	r := ObjectRecord{topic, w.seq, w.entry.id, w.entry.landed, slices.Clone(value)}
	return r, r.check()
}

func (w *walk) err() error { return w.log.Error() }

func (w *walk) close() error { return errors.Join(w.bytes.Close(), w.log.Close()) }

// State is what is held of an object.
type State uint8

// The states of an object.
const (
	Held     State = iota
	Pruned         // its bytes are gone, its tombstone stays
	Anchored       // its bytes never were here
)

func (s State) String() string {
	return [...]string{"held", "pruned", "anchored"}[min(s, Anchored)]
}

// ObjectIndex tells of every object that is held: first of the anchors, with number
// and size 0, then of each topic's log in order. An anchor whose object has arrived
// is told of twice. Objects' bytes are not read. each must not call the store.
func (s *Store) ObjectIndex(each func(topic string, seq uint64, id object.ID, size int, landed time.Time, state State)) error {
	return s.use(func() error {
		err := scan(s.db, anchorPrefix, func(key, value []byte) {
			if set, topic, ok := parseAnchor(value); ok && len(key) == len(object.ID{}) {
				each(topic, 0, object.ID(key), 0, set, Anchored)
			}
		})
		if err != nil {
			return err
		}
		return s.indexLogs(each)
	})
}

func (s *Store) indexLogs(each func(topic string, seq uint64, id object.ID, size int, landed time.Time, state State)) error {
	var log ends
	topic := "" // no topic is
	return scan(s.db, logPrefix, func(key, value []byte) {
		name, seq, ok1 := cutSeqKey(key)
		e, ok2 := parseEntry(value)
		if !ok1 || !ok2 {
			return
		}
		if string(name) != topic {
			topic = string(name)
			log = s.ends(topic)
		}
		state := Held
		if seq <= log.pruned {
			state = Pruned
		}
		each(topic, seq, e.id, e.size, e.landed, state)
	})
}

// readEnds finds where each topic's log begins and ends, and counts what is
// malformed in the records of objects.
func (s *Store) readEnds() (malformed int, err error) {
	s.logs = make(map[string]ends)
	s.garbage.upTo = make(map[string]uint64)
	err = scan(s.db, prunedPrefix, func(key, value []byte) {
		if len(value) != seqBytes || len(key) > maxTopic {
			malformed++
			return
		}
		upTo := binary.BigEndian.Uint64(value)
		s.logs[string(key)] = ends{upTo, upTo, uncounted}
		s.garbage.upTo[string(key)] = upTo
	})
	if err != nil {
		return malformed, err
	}
	n, err := s.readLasts()
	return malformed + n, err
}

// readLasts looks at one entry of each topic.
func (s *Store) readLasts() (malformed int, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{logPrefix}, UpperBound: []byte{logPrefix + 1}})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for more := it.First(); more; {
		name, _, ok := cutSeqKey(it.Key()[1:])
		if !ok {
			malformed++
			more = it.Next()
			continue
		}
		topic := string(name)
		end := topicEnd(logPrefix, topic)
		if !it.SeekLT(end) {
			break
		}
		_, last, _ := cutSeqKey(it.Key()[1:])
		before := s.logs[topic] // zero where nothing was pruned
		s.logs[topic] = ends{before.pruned, max(last, before.last), before.tombs}
		more = it.SeekGE(end)
	}
	return malformed, it.Error()
}

// topicEnd is above every key of a topic and below those of the next.
func topicEnd(prefix byte, topic string) []byte {
	return append(seqKey(prefix, topic, 1<<64-1), 0)
}
