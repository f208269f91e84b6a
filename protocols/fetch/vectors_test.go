package fetch

import (
	"errors"
	"slices"
	"testing"

	"github.com/weftnet/weft/docs/protocols/vectors"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

// fetchVectors is docs/protocols/vectors/fetch.json.
type fetchVectors struct {
	vectors.Page
	Messages []messageVector `json:"messages"`
	Refused  []struct {
		Name    string      `json:"name"`
		Type    frame.Type  `json:"type"`
		Payload vectors.Hex `json:"payload"`
		Offence string      `json:"offence"`
	} `json:"refused"`
}

type messageVector struct {
	Name    string        `json:"name"`
	Type    frame.Type    `json:"type"`
	Request uint64        `json:"request"`
	ID      vectors.Hex   `json:"id"`
	Closure bool          `json:"closure,omitempty"`
	Have    []vectors.Hex `json:"have,omitempty"`
	Status  Status        `json:"status,omitempty"`
	Object  vectors.Hex   `json:"object,omitempty"`
	Extras  []vectors.Hex `json:"extras,omitempty"`
	Bytes   uint64        `json:"bytes,omitempty"`
	Payload vectors.Hex   `json:"payload"`
}

func (v messageVector) message() Message {
	m := Message{Request: v.Request, ID: object.ID(v.ID), Closure: v.Closure, Status: v.Status, Object: v.Object, Bytes: v.Bytes}
	for _, h := range v.Have {
		m.Have = append(m.Have, object.ID(h))
	}
	for _, e := range v.Extras {
		m.Extras = append(m.Extras, e)
	}
	return m
}

func readVectors(t testing.TB) (v fetchVectors) {
	t.Helper()
	if err := vectors.Read("fetch", &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectors(t *testing.T) {
	v := readVectors(t)
	for _, m := range v.Messages {
		want := m.message()
		if got := want.Append(m.Type, nil); !m.Payload.Is(got) {
			t.Errorf("%s: %x\n want %v", m.Name, got, m.Payload)
		}
		got, err := Parse(m.Type, m.Payload)
		if err != nil || got.Request != want.Request || got.ID != want.ID || got.Closure != want.Closure || !slices.Equal(got.Have, want.Have) ||
			got.Status != want.Status || !m.Object.Is(got.Object) || !slices.EqualFunc(m.Extras, got.Extras, vectors.Hex.Is) || got.Bytes != want.Bytes {
			t.Errorf("%s is read as %+v, %v", m.Name, got, err)
		}
		if len(m.Object) > 0 && object.IDOf(m.Object) != want.ID {
			t.Errorf("%s: the ID of its object is %x, want %v", m.Name, object.IDOf(m.Object), m.ID)
		}
	}
	for _, r := range v.Refused {
		rig := newRig(t, 1)
		out := rig.do(func(out *[]core.Action) { rig.Receive(start, peerN(0), Protocol, r.Type, r.Payload, out) })
		rig.faulted(out, core.Offence(r.Offence))
		if _, err := Parse(r.Type, r.Payload); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrOversized) {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
}

func TestVectorLimits(t *testing.T) {
	v := readVectors(t)
	cfg := DefaultConfig()
	for _, diff := range v.Limits.Diff(vectors.Limits{
		"max-payload":         vectors.Of(MaxPayload, "bytes"),
		"max-bulk-payload":    vectors.Of(MaxBulkPayload, "bytes"),
		"max-have":            vectors.Of(MaxHave, "IDs"),
		"max-objects":         vectors.Of(MaxObjects, "objects"),
		"max-closure":         vectors.Of(MaxClosure, "bytes"),
		"max-coming":          vectors.Of(MaxComing, "bytes"),
		"answer-within":       vectors.Time(cfg.AnswerWithin),
		"coming-per-second":   vectors.Of(cfg.ComingPerSecond, "bytes"),
		"grace":               vectors.Time(cfg.Grace),
		"check-within":        vectors.Time(cfg.CheckWithin),
		"doubt-after":         vectors.Time(doubtAfter),
		"own-pause":           vectors.Time(ownPause),
		"max-asked":           vectors.Of(cfg.MaxAsked, "peers"),
		"max-holders":         vectors.Of(cfg.MaxHolders, "peers"),
		"max-in-flight":       vectors.Of(cfg.MaxInFlight, "requests"),
		"max-wants":           vectors.Of(cfg.MaxWants, "objects"),
		"max-late":            vectors.Of(cfg.MaxLate, "requests"),
		"max-served":          vectors.Of(cfg.MaxServed, "requests"),
		"max-queued":          vectors.Of(cfg.MaxQueued, "bytes"),
		"requests-per-second": vectors.Of(cfg.RequestsPerSecond, "requests"),
		"request-burst":       vectors.Of(cfg.RequestBurst, "requests"),
		"bytes-per-second":    vectors.Of(cfg.BytesPerSecond, "bytes"),
		"bytes-burst":         vectors.Of(cfg.BytesBurst, "bytes"),
		"bulk-burst":          vectors.Of(cfg.BulkBurst, "bytes"),
		"load-within":         vectors.Time(cfg.LoadWithin),
		"closure-bytes":       vectors.Of(cfg.ClosureBytes, "bytes"),
	}) {
		t.Errorf("limit %s: the vectors and the code differ", diff)
	}
	if cfg.ClosureObjects != MaxObjects {
		t.Errorf("closures of %d objects are given, the page says as many as may be", cfg.ClosureObjects)
	}
	offences := []core.Offence{OffenceMalformed, OffenceUnsolicited, OffenceOversized, OffenceWrong, OffenceAbsent}
	for _, diff := range vectors.OddOffences(v.Offences, offences) {
		t.Errorf("offence %s: only in the vectors or only in the code", diff)
	}
}
