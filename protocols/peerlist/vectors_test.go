package peerlist

import (
	"slices"
	"testing"

	"github.com/weftnet/weft/docs/protocols/vectors"
	"github.com/weftnet/weft/protocols/bloom"
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
	Filters any `json:"filters"` // protocols/bloom reads them
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
		b := bloom.New(s.Entries, targetFalsePositives, MaxFilterBytes)
		if limit := b.Capacity(maxFalsePositives); b.Size() != s.Bytes || b.Hashes() != s.Hashes || limit != s.Limit {
			t.Errorf("for %d entries: %d bytes, %d hashes, limit %d; want %+v", s.Entries, b.Size(), b.Hashes(), limit, s)
		}
	}
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
		"min-hashes":                 vectors.Of(bloom.MinHashes, "hash"),
		"max-hashes":                 vectors.Of(bloom.MaxHashes, "hashes"),
		"max-filter":                 vectors.Of(MaxFilterBytes, "bytes"),
		"salt":                       vectors.Of(bloom.SaltSize, "bytes"),
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
		"max-remote-false-positives": vectors.Percent(bloom.MaxRemoteFalsePositives),
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
