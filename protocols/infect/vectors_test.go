package infect

import (
	"errors"
	"testing"

	"github.com/weftnet/weft/docs/protocols/vectors"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// infectVectors is docs/protocols/vectors/infect.json.
type infectVectors struct {
	vectors.Page
	Messages []struct {
		Name    string      `json:"name"`
		Type    frame.Type  `json:"type"`
		ID      vectors.Hex `json:"id"`
		Item    vectors.Hex `json:"item"`
		Status  Status      `json:"status"`
		Payload vectors.Hex `json:"payload"`
	} `json:"messages"`
	Refused []struct {
		Name    string      `json:"name"`
		Type    frame.Type  `json:"type"`
		Payload vectors.Hex `json:"payload"`
	} `json:"refused"`
}

func readVectors(t testing.TB) (v infectVectors) {
	t.Helper()
	if err := vectors.Read("infect", &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectors(t *testing.T) {
	v := readVectors(t)
	for _, m := range v.Messages {
		want := Message{ID: ID(m.ID), Item: m.Item, Status: m.Status}
		if got := want.Append(m.Type, nil); !m.Payload.Is(got) {
			t.Errorf("%s: %x\n want %v", m.Name, got, m.Payload)
		}
		got, err := Parse(m.Type, m.Payload)
		if err != nil || got.ID != want.ID || !m.Item.Is(got.Item) || got.Status != m.Status {
			t.Errorf("%s is read as %x %x %d, %v", m.Name, got.ID, got.Item, got.Status, err)
		}
		if len(m.Item) > 0 && IDOf(m.Item) != ID(m.ID) {
			t.Errorf("%s: the ID of its item is %x, want %v", m.Name, IDOf(m.Item), m.ID)
		}
	}
	for _, r := range v.Refused {
		if _, err := Parse(r.Type, r.Payload); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
}

func TestVectorLimits(t *testing.T) {
	v := readVectors(t)
	cfg, objects := DefaultConfig(), ObjectsConfig()
	for _, diff := range v.Limits.Diff(vectors.Limits{
		"max-inline":     vectors.Of(MaxInline, "bytes"),
		"max-payload":    vectors.Of(MaxPayload, "bytes"),
		"targets":        vectors.Of(cfg.Targets, "peers"),
		"infect":         vectors.Of(cfg.Infect, "peers"),
		"saturate":       vectors.Of(cfg.Saturate, "peers"),
		"max-attempts":   vectors.Of(cfg.MaxAttempts, "offers"),
		"answer-within":  vectors.Time(cfg.AnswerWithin),
		"item-within":    vectors.Time(cfg.ItemWithin),
		"check-within":   vectors.Time(cfg.CheckWithin),
		"keep-finished":  vectors.Time(cfg.KeepFinished),
		"max-entries":    vectors.Of(cfg.MaxEntries, "items"),
		"max-pending":    vectors.Of(cfg.MaxPending, "items"),
		"new-per-second": vectors.Of(cfg.NewPerSecond, "items"),
		"new-burst":      vectors.Of(cfg.NewBurst, "items"),
		"max-gets":       vectors.Of(maxGets, "requests"),
		"lost-within":    vectors.Time(cfg.LostWithin),

		"objects-max-payload":    vectors.Of(ObjectsMaxPayload, "bytes"),
		"objects-answer-within":  vectors.Time(objects.AnswerWithin),
		"objects-item-within":    vectors.Time(objects.ItemWithin),
		"objects-lost-within":    vectors.Time(objects.LostWithin),
		"objects-max-entries":    vectors.Of(objects.MaxEntries, "items"),
		"objects-max-pending":    vectors.Of(objects.MaxPending, "items"),
		"objects-new-per-second": vectors.Of(objects.NewPerSecond, "items"),
		"objects-new-burst":      vectors.Of(objects.NewBurst, "items"),
	}) {
		t.Errorf("limit %s: the vectors and the code differ", diff)
	}
	offences := []core.Offence{OffenceMalformed, OffenceUnsolicited, OffenceWithheld, OffenceRejected}
	for _, diff := range vectors.OddOffences(v.Offences, offences) {
		t.Errorf("offence %s: only in the vectors or only in the code", diff)
	}
}
