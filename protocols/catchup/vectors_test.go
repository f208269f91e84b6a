package catchup

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/weftnet/weft/docs/protocols/vectors"
	"github.com/weftnet/weft/protocols/bloom"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

// catchupVectors is docs/protocols/vectors/catchup.json.
type catchupVectors struct {
	vectors.Page
	Topics []struct {
		Name    string      `json:"name"`
		Names   []string    `json:"names"`
		Payload vectors.Hex `json:"payload"`
	} `json:"topics"`
	Questions []questionVector `json:"questions"`
	Pages     []struct {
		Name    string        `json:"name"`
		Request uint64        `json:"request,string"`
		IDs     []vectors.Hex `json:"ids"`
		Next    uint64        `json:"next,string"`
		More    bool          `json:"more"`
		Payload vectors.Hex   `json:"payload"`
	} `json:"pages"`
	Refused []struct {
		Name    string      `json:"name"`
		Type    frame.Type  `json:"type"`
		Payload vectors.Hex `json:"payload"`
	} `json:"refused"`
}

// questionVector is a question, and what an answerer passes over because of it.
type questionVector struct {
	Name    string        `json:"name"`
	Request uint64        `json:"request,string"`
	Topic   string        `json:"topic"`
	Since   uint64        `json:"since_ms"`
	Cursor  uint64        `json:"cursor,string"`
	Hashes  int           `json:"hashes"` // of the filter; 0: there is none
	Bytes   int           `json:"bytes"`
	Salt    vectors.Hex   `json:"salt"`
	Known   []vectors.Hex `json:"known"` // IDs in it
	Bits    uint8         `json:"bits"`
	Part    uint8         `json:"part"`
	Lacked  []vectors.Hex `json:"lacked"`  // IDs that are asked about and not in it
	Foreign []vectors.Hex `json:"foreign"` // IDs of other parts
	Payload vectors.Hex   `json:"payload"`
}

func (v questionVector) question(t testing.TB) GetRecent {
	t.Helper()
	q := GetRecent{Request: v.Request, Topic: v.Topic, Since: v.Since, Cursor: v.Cursor, Bits: v.Bits, Part: v.Part}
	if v.Hashes == 0 {
		return q
	}
	q.Known = &bloom.Query{Filter: bloom.New(max(len(v.Known), minFilterIDs), falsePositives, MaxFilterBytes), Salt: [bloom.SaltSize]byte(v.Salt)}
	if q.Known.Filter.Hashes() != v.Hashes || q.Known.Filter.Size() != v.Bytes {
		t.Errorf("%s: the filter has %d hashes and %d bytes", v.Name, q.Known.Filter.Hashes(), q.Known.Filter.Size())
	}
	for _, id := range v.Known {
		q.Known.Filter.Add(bloom.NewKeyer(q.Known.Salt).Key(entryOf(object.ID(id))))
	}
	return q
}

func readVectors(t testing.TB) (v catchupVectors) {
	t.Helper()
	if err := vectors.Read("catchup", &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// payloads are those of one type.
func (v catchupVectors) payloads(kind frame.Type) (all []vectors.Hex) {
	switch kind {
	case TypeTopics:
		for _, m := range v.Topics {
			all = append(all, m.Payload)
		}
	case TypeGetRecent:
		for _, m := range v.Questions {
			all = append(all, m.Payload)
		}
	case TypeRecent:
		for _, m := range v.Pages {
			all = append(all, m.Payload)
		}
	}
	return all
}

func TestVectorsOfTopicsAndPages(t *testing.T) {
	v := readVectors(t)
	for _, m := range v.Topics {
		if got := (Topics{m.Names}).Append(nil); !m.Payload.Is(got) {
			t.Errorf("%s: %x\n want %v", m.Name, got, m.Payload)
		}
		if got, err := ParseTopics(m.Payload); err != nil || !slices.Equal(got.Names, m.Names) {
			t.Errorf("%s is read as %+v, %v", m.Name, got, err)
		}
	}
	for _, m := range v.Pages {
		want := Recent{Request: m.Request, Next: m.Next, More: m.More}
		for _, id := range m.IDs {
			want.IDs = append(want.IDs, object.ID(id))
		}
		if got := want.Append(nil); !m.Payload.Is(got) {
			t.Errorf("%s: %x\n want %v", m.Name, got, m.Payload)
		}
		got, err := ParseRecent(m.Payload)
		if err != nil || got.Request != m.Request || !slices.Equal(got.IDs, want.IDs) || got.Next != m.Next || got.More != m.More {
			t.Errorf("%s is read as %+v, %v", m.Name, got, err)
		}
	}
	for _, r := range v.Refused {
		if err := parse(r.Type, r.Payload); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
}

func TestVectorsOfQuestions(t *testing.T) {
	for _, v := range readVectors(t).Questions {
		want := v.question(t).Append(nil)
		if !v.Payload.Is(want) {
			t.Errorf("%s: %x\n want %v", v.Name, want, v.Payload)
		}
		q, err := ParseGetRecent(v.Payload)
		if err != nil || !bytes.Equal(q.Append(nil), want) || q.Topic != v.Topic || q.Since != v.Since || q.Cursor != v.Cursor {
			t.Errorf("%s is read as %+v, %v", v.Name, q, err)
			continue
		}
		l := newRig(t, v.Topic).newList(alice, q)
		for _, id := range slices.Concat(v.Known, v.Foreign) {
			if l.Lacks(object.ID(id)) {
				t.Errorf("%s: %v is listed", v.Name, id)
			}
		}
		for _, id := range v.Lacked {
			if !l.Lacks(object.ID(id)) {
				t.Errorf("%s: %v is not listed", v.Name, id)
			}
		}
	}
}

func TestVectorLimits(t *testing.T) {
	v := readVectors(t)
	cfg := DefaultConfig()
	for _, diff := range v.Limits.Diff(vectors.Limits{
		"max-topics":       vectors.Of(MaxTopics, "topics"),
		"max-topic":        vectors.Of(MaxTopicBytes, "bytes"),
		"max-ids":          vectors.Of(MaxIDs, "IDs"),
		"max-filter":       vectors.Of(MaxFilterBytes, "bytes"),
		"max-bits":         vectors.Of(MaxBits, "bits"),
		"max-payload":      vectors.Of(MaxPayload, "bytes"),
		"max-pages":        vectors.Of(maxPages, "pages"),
		"false-positives":  vectors.Percent(falsePositives),
		"min-filter-ids":   vectors.Of(minFilterIDs, "IDs"),
		"divide-above":     vectors.Of(filterIDs, "IDs"),
		"window":           vectors.Time(cfg.Window),
		"ask-min":          vectors.Time(cfg.AskMin),
		"ask-max":          vectors.Time(cfg.AskMax),
		"ask-again":        vectors.Time(againAfter),
		"many-told":        vectors.Of(manyTold, "IDs"),
		"some-told":        vectors.Of(someTold, "IDs"),
		"deep-every":       vectors.Time(cfg.DeepEvery),
		"first":            vectors.Of(cfg.First, "peers"),
		"welcome":          vectors.Of(cfg.Welcome, "peers"),
		"patience":         vectors.Time(cfg.Patience),
		"margin":           vectors.Time(cfg.Margin),
		"answer-within":    vectors.Time(cfg.AnswerWithin),
		"ask-per-second":   vectors.Of(cfg.AskPerSecond, "questions"),
		"ask-burst":        vectors.Of(cfg.AskBurst, "questions"),
		"tell-per-second":  vectors.Of(cfg.TellPerSecond, "messages"),
		"tell-burst":       vectors.Of(cfg.TellBurst, "messages"),
		"lookup":           vectors.Of(lookup, "steps"),
		"question":         vectors.Of(questionSteps, "steps"),
		"steps-per-second": vectors.Of(cfg.StepsPerSecond, "steps"),
		"step-burst":       vectors.Of(cfg.StepBurst, "steps"),
		"page-steps":       vectors.Of(cfg.PageSteps, "steps"),
	}) {
		t.Errorf("limit %s: the vectors and the code differ", diff)
	}
	offences := []core.Offence{OffenceMalformed, OffenceUnsolicited, OffenceTooMany, OffenceTopics}
	for _, diff := range vectors.OddOffences(v.Offences, offences) {
		t.Errorf("offence %s: only in the vectors or only in the code", diff)
	}
}
