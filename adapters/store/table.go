package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/protocols/core"
)

var errMalformed = errors.New("malformed record")

// kind is a type of record of which there is one for each peer.
type kind[R core.Record] struct {
	prefix byte
	most   int // records kept
	peer   func(R) core.PeerID
	rank   func(R) time.Time // when there are too many, the latest stay
	append func([]byte, R) []byte
	parse  func(id core.PeerID, value []byte) (R, error)
}

// table is the saved records of a kind. In memory it has only whose they are and
// their rank, so that a write need not scan.
type table[R core.Record] struct {
	kind[R]
	ranks map[core.PeerID]int64 // Unix ms
}

func newTable[R core.Record](k kind[R]) table[R] {
	return table[R]{k, make(map[core.PeerID]int64)}
}

func (t *table[R]) put(b *pebble.Batch, r R) error {
	id := t.peer(r)
	if id == "" {
		return fmt.Errorf("%w: it names no peer", ErrRecord)
	}
	t.ranks[id] = t.rank(r).UnixMilli()
	return b.Set(t.key(id), t.append(nil, r), nil)
}

func (t *table[R]) delete(b *pebble.Batch, id core.PeerID) error {
	delete(t.ranks, id)
	return b.Delete(t.key(id), nil)
}

// trim deletes the lowest ranked eighth once there are too many, so that few
// writes have to look for them.
func (t *table[R]) trim(b *pebble.Batch) error {
	if len(t.ranks) <= t.most {
		return nil
	}
	ids := slices.SortedFunc(maps.Keys(t.ranks), func(x, y core.PeerID) int {
		return cmp.Or(cmp.Compare(t.ranks[x], t.ranks[y]), cmp.Compare(x, y))
	})
	for _, id := range ids[:len(ids)-t.most+t.most/8] {
		if err := t.delete(b, id); err != nil {
			return err
		}
	}
	return nil
}

// index reads into memory who is saved, and says how many records are malformed.
func (t *table[R]) index(db *pebble.DB) (malformed int, err error) {
	records, malformed, err := t.read(db)
	clear(t.ranks)
	for _, r := range records {
		t.ranks[t.peer(r)] = t.rank(r).UnixMilli()
	}
	return malformed, err
}

// read returns the records, the highest ranked first. Malformed ones are left out
// and counted.
func (t *table[R]) read(db *pebble.DB) (records []R, malformed int, err error) {
	err = scan(db, t.prefix, func(key, value []byte) {
		r, err := t.record(key, value)
		if err != nil {
			malformed++
			return
		}
		records = append(records, r)
	})
	slices.SortFunc(records, func(x, y R) int {
		return cmp.Or(t.rank(y).Compare(t.rank(x)), cmp.Compare(t.peer(x), t.peer(y)))
	})
	return records, malformed, err
}

// record reads one record; key is without the prefix.
func (t *table[R]) record(key, value []byte) (none R, err error) {
	id, err := peer.IDFromBytes(key)
	if err != nil {
		return none, errMalformed
	}
	return t.parse(id, value)
}

func (t *table[R]) key(id core.PeerID) []byte { return append([]byte{t.prefix}, id...) }

// scan calls each for every record whose key begins with prefix; the slices are
// valid during the call only.
func scan(db *pebble.DB, prefix byte, each func(key, value []byte)) (err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefix}, UpperBound: []byte{prefix + 1}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for it.First(); it.Valid(); it.Next() {
		each(bytes.TrimPrefix(it.Key(), []byte{prefix}), it.Value())
	}
	return it.Error()
}

func appendTime(b []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(t.UnixMilli()))
}

// cutTime reads the time that a value begins with.
func cutTime(b []byte) (t time.Time, rest []byte, ok bool) {
	if len(b) < 8 {
		return time.Time{}, nil, false
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b))), b[8:], true
}

// uvarint reads a number of at most limit.
func uvarint(b []byte, limit int) (n int, rest []byte, ok bool) {
	v, size := binary.Uvarint(b)
	if size <= 0 || v > uint64(limit) {
		return 0, nil, false
	}
	return int(v), b[size:], true
}
