package peerlist

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"

	"github.com/weftnet/weft/protocols/core"
)

// SaltSize is the length of a salt in bytes; it is an AES-256 key.
const SaltSize = 32

// entryDomain keeps entry IDs apart from every other hash of a peer ID.
const entryDomain = "weft/peerlist/entry/1\x00"

// EntryID names one claim of one node: the first 16 bytes of
// SHA-256(domain || peer ID || timestamp). It does not depend on the salt, so it
// is computed once per claim and not once per question.
type EntryID [16]byte

// NewEntryID names the claim that peer made at timestamp (Unix ms). The
// addresses are not in it: a node has one claim per timestamp.
func NewEntryID(peer core.PeerID, timestamp uint64) EntryID {
	b := make([]byte, 0, len(entryDomain)+64)
	b = append(append(b, entryDomain...), peer...)
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(b, timestamp))
	return EntryID(sum[:16])
}

// Key is where an entry falls in a filter: hash i is first + i x step, by the
// double hashing of Kirsch and Mitzenmacher ("Less Hashing, Same Performance").
type Key struct{ first, step uint64 }

// Keyer turns entry IDs into keys under one salt: the AES-256 encryption of the
// ID. Who does not know the salt cannot find two entries that share bits; see
// docs/adr/0003-keyed-hash-for-peer-lists.md for why it is AES and not SHA-256.
type Keyer struct {
	block   cipher.Block
	in, out [aes.BlockSize]byte // here, so that they do not escape once per key
}

// NewKeyer makes the keyer of a salt.
func NewKeyer(salt [SaltSize]byte) *Keyer {
	block, err := aes.NewCipher(salt[:])
	if err != nil {
		panic("peerlist: 32 bytes are an AES-256 key: " + err.Error())
	}
	return &Keyer{block: block}
}

// Key returns the key of an entry.
func (k *Keyer) Key(id EntryID) Key {
	k.in = id
	k.block.Encrypt(k.out[:], k.in[:])
	return Key{
		first: binary.LittleEndian.Uint64(k.out[:8]),
		step:  binary.LittleEndian.Uint64(k.out[8:]) | 1, // never zero: all hashes would be one
	}
}
