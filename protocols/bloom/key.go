package bloom

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

// SaltSize is the length of a salt in bytes; it is an AES-256 key.
const SaltSize = 32

// EntrySize is the length in bytes of what a key is made from, which does not
// depend on the salt: 16 bytes that nobody can choose, such as half a SHA-256.
const EntrySize = aes.BlockSize

// Key is where an entry falls in a filter: hash i is first + i x step, by the
// double hashing of Kirsch and Mitzenmacher ("Less Hashing, Same Performance").
type Key struct{ first, step uint64 }

// Keyer turns entries into keys under one salt: the AES-256 encryption of the
// entry. Who does not know the salt cannot find two entries that share bits; see
// docs/adr/0003-keyed-hash-for-peer-lists.md for why it is AES and not SHA-256.
type Keyer struct {
	block   cipher.Block
	in, out [EntrySize]byte // here, so that they do not escape once per key
}

// NewKeyer makes the keyer of a salt.
func NewKeyer(salt [SaltSize]byte) *Keyer {
	block, err := aes.NewCipher(salt[:])
	if err != nil {
		panic("bloom: 32 bytes are an AES-256 key: " + err.Error())
	}
	return &Keyer{block: block}
}

// Key returns the key of an entry.
func (k *Keyer) Key(entry [EntrySize]byte) Key {
	k.in = entry
	k.block.Encrypt(k.out[:], k.in[:])
	return Key{
		first: binary.LittleEndian.Uint64(k.out[:8]),
		step:  binary.LittleEndian.Uint64(k.out[8:]) | 1, // never zero: all hashes would be one
	}
}
