package peerlist

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/weftnet/weft/protocols/bloom"
	"github.com/weftnet/weft/protocols/core"
)

// entryDomain keeps entry IDs apart from every other hash of a peer ID.
const entryDomain = "weft/peerlist/entry/1\x00"

// EntryID names one claim of one node: the first 16 bytes of
// SHA-256(domain || peer ID || timestamp). It does not depend on the salt, so it
// is computed once per claim and not once per question.
type EntryID [bloom.EntrySize]byte

// NewEntryID names the claim that peer made at timestamp (Unix ms). The
// addresses are not in it: a node has one claim per timestamp.
func NewEntryID(peer core.PeerID, timestamp uint64) EntryID {
	b := make([]byte, 0, len(entryDomain)+64)
	b = append(append(b, entryDomain...), peer...)
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(b, timestamp))
	return EntryID(sum[:bloom.EntrySize])
}
