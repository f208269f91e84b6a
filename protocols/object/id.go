package object

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/ipfs/go-cid"
)

// ErrID means that a text or a CID does not name an object.
var ErrID = errors.New("not the ID of an object")

// ID names an object: the SHA-256 of its encoding. In text it is a CID, version 1,
// raw codec, sha2-256, base32: no other form is accepted.
type ID [sha256.Size]byte

// IDOf names an encoded object.
func IDOf(encoded []byte) ID { return sha256.Sum256(encoded) }

// head is what the binary form of every such CID begins with: version 1, raw codec,
// and of the hash the code of sha2-256 and its length.
var head = []byte{1, cid.Raw, sha256Code, sha256.Size}

const sha256Code = 0x12 // https://github.com/multiformats/multicodec

// CID is the ID as IPLD writes it.
func (id ID) CID() cid.Cid {
	c, err := cid.Cast(slices.Concat(head, id[:]))
	if err != nil {
		panic(err) // cannot be: head is in order
	}
	return c
}

func (id ID) String() string { return id.CID().String() }

// FromCID reads an ID. Another version, codec or hash is refused.
func FromCID(c cid.Cid) (ID, error) {
	digest, ok := bytes.CutPrefix(c.Bytes(), head)
	if !ok || len(digest) != sha256.Size {
		return ID{}, fmt.Errorf("%w: %s: use a CIDv1 of raw bytes with sha2-256", ErrID, c)
	}
	return ID(digest), nil
}

// ParseID reads the text form.
func ParseID(s string) (ID, error) {
	c, err := cid.Decode(s)
	if err != nil {
		return ID{}, fmt.Errorf("%w: %q: %w", ErrID, s, err)
	}
	id, err := FromCID(c)
	if err == nil && id.String() != s {
		return ID{}, fmt.Errorf("%w: %q: write it in base32, as %s", ErrID, s, id)
	}
	return id, err
}
