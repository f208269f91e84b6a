package bloom

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	oracle "github.com/bits-and-blooms/bloom/v3"
	"pgregory.net/rapid"
)

// mostBytes is the size to which the filters of these tests are limited.
const mostBytes = 128 << 10

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func randomKey(r *rand.Rand) Key { return Key{r.Uint64(), r.Uint64() | 1} }

func TestFilterNeverDeniesWhatItHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := New(rapid.IntRange(1, 2000).Draw(t, "size"), rapid.Float64Range(0.0001, 0.5).Draw(t, "rate"), 1<<12)
		keys := rapid.SliceOf(rapid.Custom(func(t *rapid.T) Key {
			return Key{rapid.Uint64().Draw(t, "first"), rapid.Uint64().Draw(t, "step") | 1}
		})).Draw(t, "keys")
		for _, k := range keys {
			b.Add(k)
		}
		for _, k := range keys {
			if !b.Contains(k) {
				t.Fatalf("%v was added and is denied", k)
			}
		}
	})
}

func TestFilterIsSizedLikeTheOracle(t *testing.T) {
	for _, count := range []int{128, 1000, 20_000, 72_000} {
		for _, p := range []float64{0.01, 0.001, 0.0001} {
			b := New(count, p, mostBytes)
			m, k := oracle.EstimateParameters(uint(count), p)
			if got := uint(len(b.bits) * 8); got < m && len(b.bits) < mostBytes || got > m+8 {
				t.Errorf("%d keys at %g: %d bits, the oracle takes %d", count, p, got, m)
			}
			if d := b.hashes - int(k); d < -1 || d > 1 {
				t.Errorf("%d keys at %g: %d hashes, the oracle takes %d", count, p, b.hashes, k)
			}
		}
	}
}

// The rate of false positives is that of an independent implementation with as
// many bits and hashes, and what the formula says.
func TestFalsePositivesAreThoseOfTheOracle(t *testing.T) {
	const count, probes, target, worst = 5000, 400_000, 0.001, 0.01
	b, r := New(count, target, mostBytes), seeded(1)
	o := oracle.New(uint(len(b.bits)*8), uint(b.hashes))
	fill := func() {
		k := randomKey(r)
		b.Add(k)
		o.Add(binary.LittleEndian.AppendUint64(nil, k.first))
	}
	rates := func() (ours, theirs float64) {
		var a, z int
		for range probes {
			k := randomKey(r)
			if b.Contains(k) {
				a++
			}
			if o.Test(binary.LittleEndian.AppendUint64(nil, k.first)) {
				z++
			}
		}
		return float64(a) / probes, float64(z) / probes
	}
	for range count {
		fill()
	}
	for _, want := range []float64{target, worst} {
		ours, theirs := rates()
		// 400 expected hits at 0.001: the standard error is 5 %.
		if math.Abs(ours-want) > 0.25*want || math.Abs(ours-theirs) > 0.25*want || math.Abs(b.FalsePositives()-want) > 0.15*want {
			t.Errorf("after %d keys: measured %.5f, estimated from bits %.5f, oracle %.5f, want %.5f", b.keys, ours, b.FalsePositives(), theirs, want)
		}
		for b.keys < b.Capacity(worst) {
			fill()
		}
	}
}
