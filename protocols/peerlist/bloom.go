package peerlist

import (
	"encoding/binary"
	"math"
	"math/bits"
)

const (
	// minHashes and maxHashes bound the hash functions of any filter. 16 is
	// AvalancheGo's bound (utils/bloom): more only cost time.
	minHashes = 1
	maxHashes = 16
	// MaxFilterBytes bounds a filter, ours or a peer's. Chosen because it holds
	// both entries of 36,000 nodes at the target rate: 72,000 x 14.4 bits.
	MaxFilterBytes = 128 << 10
)

// Bloom is a set of keys that never denies a key it holds and, at a known rate,
// affirms one that it does not. It is its own wire form: bit i is bit i%8 of
// byte i/8.
type Bloom struct {
	bits   []byte
	hashes int
	count  int // keys added, repetitions counted
}

// newBloom makes the smallest filter that holds count keys at the false-positive
// rate p.
func newBloom(count int, p float64) *Bloom {
	bitsPerKey := -math.Log(p) / (math.Ln2 * math.Ln2)
	size := int(math.Ceil(float64(count) * bitsPerKey / 8))
	hashes := int(math.Round(bitsPerKey * math.Ln2))
	return &Bloom{
		bits:   make([]byte, min(max(size, 1), MaxFilterBytes)),
		hashes: min(max(hashes, minHashes), maxHashes),
	}
}

// Add puts a key into the set.
func (b *Bloom) Add(k Key) {
	h, m := k.first, uint64(len(b.bits))*8
	for range b.hashes {
		bit, _ := bits.Mul64(h, m)
		b.bits[bit>>3] |= 1 << (bit & 7)
		h += k.step
	}
	b.count++
}

// Contains says whether a key may be in the set; false is certain.
func (b *Bloom) Contains(k Key) bool {
	h, m := k.first, uint64(len(b.bits))*8
	for range b.hashes {
		bit, _ := bits.Mul64(h, m)
		if b.bits[bit>>3]&(1<<(bit&7)) == 0 {
			return false
		}
		h += k.step
	}
	return true
}

// capacity is how many keys the filter takes before its estimated
// false-positive rate passes p.
func (b *Bloom) capacity(p float64) int {
	m, k := float64(len(b.bits)*8), float64(b.hashes)
	return int(-m / k * math.Log(1-math.Pow(p, 1/k)))
}

// falsePositives is the rate at which the filter affirms keys it does not hold,
// measured from its bits: what a peer says of its own filter is not needed.
func (b *Bloom) falsePositives() float64 {
	ones, rest := 0, b.bits
	for ; len(rest) >= 8; rest = rest[8:] {
		ones += bits.OnesCount64(binary.LittleEndian.Uint64(rest))
	}
	for _, x := range rest {
		ones += bits.OnesCount8(x)
	}
	return math.Pow(float64(ones)/float64(len(b.bits)*8), float64(b.hashes))
}
