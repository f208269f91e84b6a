package broadcast

import (
	"errors"
	"testing"
	"time"

	"github.com/weftnet/weft/docs/protocols/vectors"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

// broadcastVectors is docs/protocols/vectors/broadcast.json.
type broadcastVectors struct {
	vectors.Page
	Messages []struct {
		Name    string      `json:"name"`
		Type    frame.Type  `json:"type"`
		Sender  vectors.Hex `json:"sender"`
		TimeMS  int64       `json:"time_ms"`
		Payload vectors.Hex `json:"payload"`
		Message vectors.Hex `json:"message"`
	} `json:"messages"`
	Refused []struct {
		Name    string      `json:"name"`
		Type    frame.Type  `json:"type"`
		Payload vectors.Hex `json:"payload"`
	} `json:"refused"`
}

func readVectors(t testing.TB) (v broadcastVectors) {
	t.Helper()
	if err := vectors.Read("broadcast", &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectors(t *testing.T) {
	v := readVectors(t)
	for _, msg := range v.Messages {
		m := New(DefaultConfig(), func(core.PeerID, string) bool { return true })
		m.PeerUp("bob")
		var out []core.Action
		if n, err := m.Broadcast(start, "transactions", msg.Payload, &out); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		s := out[0].(core.Send)
		h := frame.Header{Type: s.Type, Sender: frame.Sender(msg.Sender), Time: time.UnixMilli(msg.TimeMS)}
		if got, err := frame.Append(nil, h, s.Payload); err != nil || !msg.Message.Is(got) {
			t.Errorf("%s: %x, %v\n want %v", msg.Name, got, err, msg.Message)
		}
		if err := Check(msg.Type, msg.Payload); err != nil {
			t.Errorf("%s: %v", msg.Name, err)
		}
		if _, err := object.Parse(msg.Payload); err != nil {
			t.Errorf("%s: its payload is no object: %v", msg.Name, err)
		}
	}
	for _, r := range v.Refused {
		if err := Check(r.Type, r.Payload); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
}

func TestVectorLimits(t *testing.T) {
	v := readVectors(t)
	cfg := DefaultConfig()
	for _, diff := range v.Limits.Diff(vectors.Limits{
		"max-payload":     vectors.Of(MaxPayload, "bytes"),
		"per-second":      vectors.Of(cfg.PerSecond, "objects"),
		"burst":           vectors.Of(cfg.Burst, "objects"),
		"take-per-second": vectors.Of(cfg.TakePerSecond, "objects"),
		"take-burst":      vectors.Of(cfg.TakeBurst, "objects"),
	}) {
		t.Errorf("limit %s: the vectors and the code differ", diff)
	}
	for _, diff := range vectors.OddOffences(v.Offences, []core.Offence{OffenceMalformed, OffenceTooOften}) {
		t.Errorf("offence %s: only in the vectors or only in the code", diff)
	}
}
