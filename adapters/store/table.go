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

// kind is a type of record of which there is one for each peer, or what else it names.
type kind[R core.Record] struct {
	prefix byte
	most   int               // records kept
	name   func(R) string    // empty: it names nothing
	rank   func(R) time.Time // when there are too many, the latest stay
	append func([]byte, R) []byte
	parse  func(name string, value []byte) (R, error)
}

// ofPeer parses records that are named by a peer ID.
func ofPeer[R any](parse func(core.PeerID, []byte) (R, error)) func(string, []byte) (R, error) {
	return func(name string, value []byte) (none R, err error) {
		id, err := peer.IDFromBytes([]byte(name))
		if err != nil {
			return none, errMalformed
		}
		return parse(id, value)
	}
}

// table is the saved records of a kind. In memory it has only whose they are and
// their rank, so that a write need not scan.
type table[R core.Record] struct {
	kind[R]
	ranks map[string]int64 // Unix ms
}

func newTable[R core.Record](k kind[R]) table[R] {
	return table[R]{k, make(map[string]int64)}
}

func (t *table[R]) put(b *pebble.Batch, r R) error {
	name := t.name(r)
	if name == "" {
		return fmt.Errorf("%w: it names no peer", ErrRecord)
	}
	t.ranks[name] = t.rank(r).UnixMilli()
	return b.Set(t.key(name), t.append(nil, r), nil)
}

func (t *table[R]) delete(b *pebble.Batch, name string) error {
	delete(t.ranks, name)
	return b.Delete(t.key(name), nil)
}

// trim deletes the lowest ranked eighth once there are too many, so that few
// writes have to look for them.
func (t *table[R]) trim(b *pebble.Batch) error {
	if len(t.ranks) <= t.most {
		return nil
	}
	names := slices.SortedFunc(maps.Keys(t.ranks), func(x, y string) int {
		return cmp.Or(cmp.Compare(t.ranks[x], t.ranks[y]), cmp.Compare(x, y))
	})
	for _, name := range names[:len(names)-t.most+t.most/8] {
		if err := t.delete(b, name); err != nil {
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
		t.ranks[t.name(r)] = t.rank(r).UnixMilli()
	}
	return malformed, err
}

// read returns the records, the highest ranked first. Malformed ones are left out
// and counted.
func (t *table[R]) read(db *pebble.DB) (records []R, malformed int, err error) {
	err = scan(db, t.prefix, func(key, value []byte) {
		r, err := t.parse(string(key), value)
		if err != nil {
			malformed++
			return
		}
		records = append(records, r)
	})
	slices.SortFunc(records, func(x, y R) int {
		return cmp.Or(t.rank(y).Compare(t.rank(x)), cmp.Compare(t.name(x), t.name(y)))
	})
	return records, malformed, err
}

func (t *table[R]) key(name string) []byte { return append([]byte{t.prefix}, name...) }

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
