package peerlist

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weftnet/weft/protocols/frame"
)

// What makes a peer's question unusable. Each is wrapped by an error that says
// what arrived and what is allowed.
var (
	ErrHashes     = errors.New("bad number of hashes in the filter")
	ErrFilterSize = errors.New("bad filter size")
	ErrSaltSize   = errors.New("bad salt size")
	ErrSaturated  = errors.New("the filter affirms too much")
)

// maxRemoteFalsePositives bounds what a peer's filter may affirm wrongly. Chosen
// as five times the rate at which an honest filter is rebuilt, which none
// reaches by chance; all-ones has 1. A filter above it would cost us a lookup for
// every claim and hide from its owner what he asks for.
const maxRemoteFalsePositives = 0.05

// MaxQueryBytes bounds an encoded query: filter, salt, and 16 for the tags.
const MaxQueryBytes = MaxFilterBytes + SaltSize + 16

// Query is what a node knows already: the filter of its claims and the salt of
// that filter. It travels in GetPeerList and in the handshake.
type Query struct {
	filter *Bloom
	salt   [SaltSize]byte
}

const (
	queryHashes protowire.Number = 1 // varint, 1 to 16
	queryFilter protowire.Number = 2 // bytes, 1 to MaxFilterBytes
	querySalt   protowire.Number = 3 // bytes, exactly SaltSize
)

// Append appends the encoding of q to b.
func (q Query) Append(b []byte) []byte {
	b = frame.AppendVarint(b, queryHashes, uint64(q.filter.hashes))
	b = frame.AppendBytes(b, queryFilter, q.filter.bits)
	return frame.AppendBytes(b, querySalt, q.salt[:])
}

// size is about how many bytes the encoding takes.
func (q Query) size() int { return len(q.filter.bits) + SaltSize }

// ParseQuery decodes a peer's query and refuses what no honest node sends: with
// frame.ErrFields or one of the errors above. The query refers to msg, which must
// not change afterwards.
func ParseQuery(msg []byte) (Query, error) {
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
	return newQuery(hashes, filter, salt)
}

func newQuery(hashes uint64, filter, salt []byte) (Query, error) {
	if hashes < minHashes || hashes > maxHashes {
		return Query{}, fmt.Errorf("%w: %d, send %d to %d", ErrHashes, hashes, minHashes, maxHashes)
	}
	if len(filter) == 0 || len(filter) > MaxFilterBytes {
		return Query{}, fmt.Errorf("%w: %d bytes, send 1 to %d", ErrFilterSize, len(filter), MaxFilterBytes)
	}
	if len(salt) != SaltSize {
		return Query{}, fmt.Errorf("%w: %d bytes, send %d", ErrSaltSize, len(salt), SaltSize)
	}
	q := Query{filter: &Bloom{bits: filter, hashes: int(hashes)}, salt: [SaltSize]byte(salt)}
	if p := q.filter.falsePositives(); p > maxRemoteFalsePositives {
		return Query{}, fmt.Errorf("%w: false positives %.2g, rebuild it before %.2g", ErrSaturated, p, maxRemoteFalsePositives)
	}
	return q, nil
}
