package peerlist

import (
	"crypto/sha256"
	"testing"
)

// Answering when all of 10,000 claims are known: every one is looked up.
func BenchmarkAnswerAllKnown10k(b *testing.B) {
	book := connected(10_000)
	book.rebuild()
	q := book.Query()
	b.ReportAllocs()
	for b.Loop() {
		if claims, lookups := book.Answer(start, "asker", q); lookups < 9000 || len(claims) > MaxAnswer {
			b.Fatalf("%d lookups, %d claims", lookups, len(claims))
		}
	}
}

func BenchmarkAnswerNoneKnown10k(b *testing.B) {
	book, q := connected(10_000), openTracker().Query()
	b.ReportAllocs()
	for b.Loop() {
		book.Answer(start, "asker", q)
	}
}

func BenchmarkBloomAdd(b *testing.B) {
	f, k := newBloom(20_000, targetFalsePositives), randomKey(seeded(1))
	b.ReportAllocs()
	for b.Loop() {
		k.first += 0x9e3779b97f4a7c15
		f.Add(k)
	}
}

func BenchmarkBloomContains(b *testing.B) {
	f, r := newBloom(20_000, targetFalsePositives), seeded(1)
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
	id, k := NewEntryID("peer", 1), NewKeyer([SaltSize]byte{1})
	b.ReportAllocs()
	for b.Loop() {
		k.Key(id)
	}
}

// What AvalancheGo does for each claim and salt.
func BenchmarkKeySHA256(b *testing.B) {
	var in [64]byte
	b.ReportAllocs()
	for b.Loop() {
		sum := sha256.Sum256(in[:])
		in[0] = sum[0]
	}
}

func BenchmarkRebuild10k(b *testing.B) {
	book := connected(10_000)
	b.ReportAllocs()
	for b.Loop() {
		book.rebuild()
	}
}

func BenchmarkParseGetPeerList10k(b *testing.B) {
	payload := GetPeerList{ID: 1, Query: connected(10_000).Query()}.Append(nil)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseGetPeerList(payload); err != nil {
			b.Fatal(err)
		}
	}
}
