package peerlist

import "testing"

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
