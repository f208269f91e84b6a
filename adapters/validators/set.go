package validators

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"

	"github.com/weftnet/weft/protocols/core"
)

// Key is the public key of a consensus identity.
type Key [ed25519.PublicKeySize]byte

// keyPrefix tells a key from a peer ID, and from keys of other types to come.
const keyPrefix = "ed25519:"

// String is the key as a file holds it.
func (k Key) String() string { return keyPrefix + hex.EncodeToString(k[:]) }

// ParseKey reads a key as String writes it.
func ParseKey(s string) (k Key, err error) {
	digits, ours := strings.CutPrefix(s, keyPrefix)
	if !ours || len(digits) != 2*len(k) {
		return Key{}, fmt.Errorf("%s is not a consensus key: it looks like %s and %d hexadecimal digits", quote(s), keyPrefix, 2*len(k))
	}
	if _, err := hex.Decode(k[:], []byte(digits)); err != nil {
		return Key{}, fmt.Errorf("%s is not a consensus key: %w", quote(s), err)
	}
	return k, nil
}

// Set is who belongs to it and with which weight. The zero Set has nobody. A Set
// is shared, so it is never changed once made.
type Set struct {
	Peers map[core.PeerID]uint64 // nodes
	Keys  map[Key]uint64         // consensus identities, proven by nodes
}

// Len is the number of entries.
func (s Set) Len() int { return len(s.Peers) + len(s.Keys) }

// Equal says whether two sets have the same entries and weights.
func (s Set) Equal(other Set) bool {
	return maps.Equal(s.Peers, other.Peers) && maps.Equal(s.Keys, other.Keys)
}
