package peerlist

import (
	"slices"
	"testing"

	"github.com/weftnet/weft/docs/protocols/vectors"
	"github.com/weftnet/weft/protocols/core"
)

// peerlistVectors is docs/protocols/vectors/peerlist.json.
type peerlistVectors struct {
	vectors.Page
	Entries []struct {
		Name  string      `json:"name"`
		Peer  vectors.Hex `json:"peer"`
		Time  uint64      `json:"time_ms"`
		Entry vectors.Hex `json:"entry"`
	} `json:"entries"`
	Filters []filterVector `json:"filters"`
	Sizes   []struct {
		Entries int `json:"entries"` // that the filter is sized for
		Bytes   int `json:"bytes"`
		Hashes  int `json:"hashes"`
		Limit   int `json:"limit"` // entries from which on it is rebuilt
	} `json:"sizes"`
	Questions []struct {
		Name    string      `json:"name"`
		ID      uint64      `json:"id,string"`
		Query   vectors.Hex `json:"query"`
		Payload vectors.Hex `json:"payload"`
	} `json:"questions"`
	Lists []struct {
		Name    string        `json:"name"`
		ID      uint64        `json:"id,string"`
		Claims  []vectors.Hex `json:"claims"`
		Payload vectors.Hex   `json:"payload"`
	} `json:"lists"`
	Refused []struct {
		Name    string      `json:"name"`
		Message string      `json:"message"` // "query", "question" or "list"
		Payload vectors.Hex `json:"payload"`
	} `json:"refused"`
}

// filterVector is a filter to which entries were added one after the other.
type filterVector struct {
	Name   string      `json:"name"`
	Hashes int         `json:"hashes"`
	Bytes  int         `json:"bytes"`
	Salt   vectors.Hex `json:"salt"`
	Added  []struct {
		Entry vectors.Hex `json:"entry"`
		First uint64      `json:"first,string"`
		Step  uint64      `json:"step,string"`
		Bits  []int       `json:"bits"`
	} `json:"added"`
	Filter vectors.Hex `json:"filter"`
	Query  vectors.Hex `json:"query"`
}

func readVectors(t testing.TB) (v peerlistVectors) {
	t.Helper()
	if err := vectors.Read("peerlist", &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectorsOfEntriesAndSizes(t *testing.T) {
	v := readVectors(t)
	for _, e := range v.Entries {
		if got := NewEntryID(core.PeerID(e.Peer), e.Time); !e.Entry.Is(got[:]) {
			t.Errorf("%s: %x, want %v", e.Name, got, e.Entry)
		}
	}
	for _, s := range v.Sizes {
		b := newBloom(s.Entries, targetFalsePositives)
		if limit := b.capacity(maxFalsePositives); len(b.bits) != s.Bytes || b.hashes != s.Hashes || limit != s.Limit {
			t.Errorf("for %d entries: %d bytes, %d hashes, limit %d; want %+v", s.Entries, len(b.bits), b.hashes, limit, s)
		}
	}
}

func TestVectorsOfFilters(t *testing.T) {
	for _, f := range readVectors(t).Filters {
		b := &Bloom{bits: make([]byte, f.Bytes), hashes: f.Hashes}
		keyer := NewKeyer([SaltSize]byte(f.Salt))
		for _, e := range f.Added {
			key := keyer.Key(EntryID(e.Entry))
			one := &Bloom{bits: make([]byte, f.Bytes), hashes: f.Hashes}
			one.Add(key)
			b.Add(key)
			if key != (Key{e.First, e.Step}) || !slices.Equal(set(one.bits), e.Bits) {
				t.Errorf("%s: entry %v falls on %+v, bits %v; want %+v", f.Name, e.Entry, key, set(one.bits), e)
			}
		}
		q := Query{filter: b, salt: [SaltSize]byte(f.Salt)}
		if got := q.Append(nil); !f.Filter.Is(b.bits) || !f.Query.Is(got) {
			t.Errorf("%s: filter %x, query %x; want %v, %v", f.Name, b.bits, got, f.Filter, f.Query)
		}
		read, err := ParseQuery(f.Query)
		if err != nil || read.filter.hashes != f.Hashes || !f.Filter.Is(read.filter.bits) || !f.Salt.Is(read.salt[:]) {
			t.Errorf("%s is read as %+v, %v", f.Name, read, err)
		}
	}
}

// set lists the bits that are set, in ascending order.
func set(filter []byte) (bits []int) {
	for i := range len(filter) * 8 {
		if filter[i/8]&(1<<(i%8)) != 0 {
			bits = append(bits, i)
		}
	}
	return bits
}

func TestVectorsOfMessages(t *testing.T) {
	v := readVectors(t)
	for _, q := range v.Questions {
		query, err := ParseQuery(q.Query)
		if got := (GetPeerList{q.ID, query}).Append(nil); err != nil || !q.Payload.Is(got) {
			t.Errorf("%s: %x, %v\n want %v", q.Name, got, err, q.Payload)
		}
		if read, err := ParseGetPeerList(q.Payload); err != nil || read.ID != q.ID || !q.Query.Is(read.Query.Append(nil)) {
			t.Errorf("%s is read as %+v, %v", q.Name, read, err)
		}
	}
	for _, l := range v.Lists {
		list := PeerList{ID: l.ID}
		for _, c := range l.Claims {
			list.Envelopes = append(list.Envelopes, c)
		}
		if got := list.Append(nil); !l.Payload.Is(got) {
			t.Errorf("%s: %x\n want %v", l.Name, got, l.Payload)
		}
		read, err := ParsePeerList(l.Payload)
		same := slices.EqualFunc(l.Claims, read.Envelopes, vectors.Hex.Is)
		if err != nil || read.ID != l.ID || !same {
			t.Errorf("%s is read as %+v, %v", l.Name, read, err)
		}
	}
	parse := map[string]func([]byte) error{
		"query":    func(b []byte) error { _, err := ParseQuery(b); return err },
		"question": func(b []byte) error { _, err := ParseGetPeerList(b); return err },
		"list":     func(b []byte) error { _, err := ParsePeerList(b); return err },
	}
	for _, r := range v.Refused {
		if parse[r.Message](r.Payload) == nil {
			t.Errorf("%s is accepted", r.Name)
		}
	}
}

func TestVectorLimits(t *testing.T) {
	v := readVectors(t)
	cfg := DefaultConfig()
	for _, diff := range v.Limits.Diff(vectors.Limits{
		"min-hashes":                 vectors.Of(minHashes, "hash"),
		"max-hashes":                 vectors.Of(maxHashes, "hashes"),
		"max-filter":                 vectors.Of(MaxFilterBytes, "bytes"),
		"salt":                       vectors.Of(SaltSize, "bytes"),
		"max-query":                  vectors.Of(MaxQueryBytes, "bytes"),
		"max-payload":                vectors.Of(MaxPayload, "bytes"),
		"max-answer":                 vectors.Of(MaxAnswer, "claims"),
		"max-claim":                  vectors.Of(MaxEnvelopeBytes, "bytes"),
		"ask-first":                  vectors.Time(cfg.AskFirst),
		"ask-every":                  vectors.Time(cfg.AskEvery),
		"max-ask-every":              vectors.Time(cfg.MaxAskEvery),
		"answer-within":              vectors.Time(cfg.AnswerWithin),
		"rebuild-every":              vectors.Time(cfg.RebuildEvery),
		"max-streak":                 vectors.Of(maxStreak, "questions"),
		"lookups-per-second":         vectors.Of(cfg.LookupsPerSecond, "lookups"),
		"lookup-burst":               vectors.Of(cfg.LookupBurst, "lookups"),
		"question-cost":              vectors.Of(minLookups, "lookups"),
		"target-false-positives":     vectors.Percent(targetFalsePositives),
		"max-false-positives":        vectors.Percent(maxFalsePositives),
		"max-remote-false-positives": vectors.Percent(maxRemoteFalsePositives),
		"entries-per-node":           vectors.Of(entriesPerNode, "entries"),
		"min-filter-entries":         vectors.Of(minFilterEntries, "entries"),
		"max-tracked":                vectors.Of(maxTracked, "nodes"),
	}) {
		t.Errorf("limit %s: the vectors and the code differ", diff)
	}
	offences := []core.Offence{
		OffenceBadQuery, OffenceTooOften, OffenceUnsolicited, OffenceBadAnswer, OffenceOversized, OffenceBadClaim, OffenceEquivocation,
	}
	for _, diff := range vectors.OddOffences(v.Offences, offences) {
		t.Errorf("offence %s: only in the vectors or only in the code", diff)
	}
}
