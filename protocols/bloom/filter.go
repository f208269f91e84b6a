package bloom

import (
	"encoding/binary"
	"math"
	"math/bits"
)

const (
	// MinHashes and MaxHashes bound the hash functions of any filter. 16 is
	// AvalancheGo's bound (utils/bloom): more only cost time.
	MinHashes = 1
	MaxHashes = 16
)

// Filter is a set of keys that never denies a key it holds and, at a known rate,
// affirms one that it does not. It is its own wire form: bit i is bit i%8 of
// byte i/8.
type Filter struct {
	bits   []byte
	hashes int
	keys   int // added, repetitions counted
}

// New makes the smallest filter that holds count keys at the false-positive rate
// p, or one of mostBytes.
func New(count int, p float64, mostBytes int) *Filter {
	bitsPerKey := -math.Log(p) / (math.Ln2 * math.Ln2)
	size := int(math.Ceil(float64(count) * bitsPerKey / 8))
	hashes := int(math.Round(bitsPerKey * math.Ln2))
	return &Filter{
		bits:   make([]byte, min(max(size, 1), mostBytes)),
		hashes: min(max(hashes, MinHashes), MaxHashes),
	}
}

// Add puts a key into the set.
func (f *Filter) Add(k Key) {
	h, m := k.first, uint64(len(f.bits))*8
	for range f.hashes {
		bit, _ := bits.Mul64(h, m)
		f.bits[bit>>3] |= 1 << (bit & 7)
		h += k.step
	}
	f.keys++
}

// Contains says whether a key may be in the set; false is certain.
func (f *Filter) Contains(k Key) bool {
	h, m := k.first, uint64(len(f.bits))*8
	for range f.hashes {
		bit, _ := bits.Mul64(h, m)
		if f.bits[bit>>3]&(1<<(bit&7)) == 0 {
			return false
		}
		h += k.step
	}
	return true
}

// Keys is how many keys were added, repetitions counted; of a filter that was read,
// those added since.
func (f *Filter) Keys() int { return f.keys }

// Hashes is how many hash functions it has.
func (f *Filter) Hashes() int { return f.hashes }

// Size is its length in bytes.
func (f *Filter) Size() int { return len(f.bits) }

// Capacity is how many keys the filter takes before its estimated false-positive
// rate passes p.
func (f *Filter) Capacity(p float64) int {
	m, k := float64(len(f.bits)*8), float64(f.hashes)
	return int(-m / k * math.Log(1-math.Pow(p, 1/k)))
}

// FalsePositives is the rate at which the filter affirms keys it does not hold,
// measured from its bits: what a peer says of its own filter is not needed.
func (f *Filter) FalsePositives() float64 {
	ones, rest := 0, f.bits
	for ; len(rest) >= 8; rest = rest[8:] {
		ones += bits.OnesCount64(binary.LittleEndian.Uint64(rest))
	}
	for _, x := range rest {
		ones += bits.OnesCount8(x)
	}
	return math.Pow(float64(ones)/float64(len(f.bits)*8), float64(f.hashes))
}
