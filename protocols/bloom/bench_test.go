package bloom

import (
	"crypto/sha256"
	"testing"
)

func BenchmarkAdd(b *testing.B) {
	f, k := New(20_000, 0.001, mostBytes), randomKey(seeded(1))
	b.ReportAllocs()
	for b.Loop() {
		k.first += 0x9e3779b97f4a7c15
		f.Add(k)
	}
}

func BenchmarkContains(b *testing.B) {
	f, r := New(20_000, 0.001, mostBytes), seeded(1)
	keys := make([]Key, 1<<14)
	for i := range keys {
		keys[i] = randomKey(r)
		f.Add(keys[i])
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i = (i + 1) & (len(keys) - 1)
		if !f.Contains(keys[i]) {
			b.Fatal("denied")
		}
	}
}

func BenchmarkKeyAES(b *testing.B) {
	entry, k := [EntrySize]byte{1}, NewKeyer([SaltSize]byte{1})
	b.ReportAllocs()
	for b.Loop() {
		k.Key(entry)
	}
}

// What AvalancheGo does for each entry and salt.
func BenchmarkKeySHA256(b *testing.B) {
	var in [64]byte
	b.ReportAllocs()
	for b.Loop() {
		sum := sha256.Sum256(in[:])
		in[0] = sum[0]
	}
}
