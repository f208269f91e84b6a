package bloom

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weftnet/weft/protocols/frame"
)

// What makes a peer's query unusable. Each is wrapped by an error that says
// what arrived and what is allowed.
var (
	ErrHashes     = errors.New("bad number of hashes in the filter")
	ErrFilterSize = errors.New("bad filter size")
	ErrSaltSize   = errors.New("bad salt size")
	ErrSaturated  = errors.New("the filter affirms too much")
)

// MaxRemoteFalsePositives bounds what a peer's filter may affirm wrongly. Chosen
// as five times the rate at which an honest filter is rebuilt, which none
// reaches by chance; all-ones has 1. A filter above it would cost us a lookup for
// every entry and hide from its owner what he asks for.
const MaxRemoteFalsePositives = 0.05

// QueryOverhead is what a query takes beside its filter, in bytes: the salt, and
// 16 for the tags.
const QueryOverhead = SaltSize + 16

// Query is what a node knows already: the filter of it and the salt of that filter.
type Query struct {
	Filter *Filter
	Salt   [SaltSize]byte
}

const (
	queryHashes protowire.Number = 1 // varint, 1 to 16
	queryFilter protowire.Number = 2 // bytes, 1 to what the protocol allows
	querySalt   protowire.Number = 3 // bytes, exactly SaltSize
)

// Append appends the encoding of q to b.
func (q Query) Append(b []byte) []byte {
	b = frame.AppendVarint(b, queryHashes, uint64(q.Filter.hashes))
	b = frame.AppendBytes(b, queryFilter, q.Filter.bits)
	return frame.AppendBytes(b, querySalt, q.Salt[:])
}

// ParseQuery decodes a peer's query, whose filter has at most mostBytes, and refuses
// what no honest node sends: with frame.ErrFields or one of the errors above. The
// query refers to msg, which must not change afterwards.
func ParseQuery(msg []byte, mostBytes int) (Query, error) {
	var hashes uint64
	var filter, salt []byte
	var once frame.Once
	err := frame.EachField(msg, func(f frame.Field) error {
		switch f.Number {
		case queryHashes:
			hashes = f.Varint
		case queryFilter:
			filter = f.Bytes
		case querySalt:
			salt = f.Bytes
		}
		return once.Take(f.Number)
	})
	if err != nil {
		return Query{}, err
	}
	return newQuery(hashes, filter, salt, mostBytes)
}

func newQuery(hashes uint64, filter, salt []byte, mostBytes int) (Query, error) {
	if hashes < MinHashes || hashes > MaxHashes {
		return Query{}, fmt.Errorf("%w: %d, send %d to %d", ErrHashes, hashes, MinHashes, MaxHashes)
	}
	if len(filter) == 0 || len(filter) > mostBytes {
		return Query{}, fmt.Errorf("%w: %d bytes, send 1 to %d", ErrFilterSize, len(filter), mostBytes)
	}
	if len(salt) != SaltSize {
		return Query{}, fmt.Errorf("%w: %d bytes, send %d", ErrSaltSize, len(salt), SaltSize)
	}
	q := Query{Filter: &Filter{bits: filter, hashes: int(hashes)}, Salt: [SaltSize]byte(salt)}
	if p := q.Filter.FalsePositives(); p > MaxRemoteFalsePositives {
		return Query{}, fmt.Errorf("%w: false positives %.2g, rebuild it before %.2g", ErrSaturated, p, MaxRemoteFalsePositives)
	}
	return q, nil
}
