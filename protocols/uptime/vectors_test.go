package uptime

import (
	"errors"
	"testing"

	"github.com/weftnet/weft/docs/protocols/vectors"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
)

// uptimeVectors is docs/protocols/vectors/uptime.json.
type uptimeVectors struct {
	vectors.Page
	Pings []struct {
		Name    string      `json:"name"`
		ID      uint64      `json:"id,string"`
		Uptime  Percent     `json:"uptime"`
		Payload vectors.Hex `json:"payload"`
	} `json:"pings"`
	Pongs []struct {
		Name    string      `json:"name"`
		ID      uint64      `json:"id,string"`
		Payload vectors.Hex `json:"payload"`
	} `json:"pongs"`
	Refused []struct {
		Name    string      `json:"name"`
		Type    frame.Type  `json:"type"`
		Payload vectors.Hex `json:"payload"`
	} `json:"refused"`
}

func readVectors(t testing.TB) (v uptimeVectors) {
	t.Helper()
	if err := vectors.Read("uptime", &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectors(t *testing.T) {
	v := readVectors(t)
	for _, p := range v.Pings {
		want := Ping{ID: p.ID, Uptime: p.Uptime}
		if got := want.Append(nil); !p.Payload.Is(got) {
			t.Errorf("%s: %x, want %v", p.Name, got, p.Payload)
		}
		if got, err := ParsePing(p.Payload); err != nil || got != want {
			t.Errorf("%s is read as %v, %v", p.Name, got, err)
		}
	}
	for _, p := range v.Pongs {
		if got := (Pong{p.ID}).Append(nil); !p.Payload.Is(got) {
			t.Errorf("%s: %x, want %v", p.Name, got, p.Payload)
		}
		if got, err := ParsePong(p.Payload); err != nil || got.ID != p.ID {
			t.Errorf("%s is read as %v, %v", p.Name, got, err)
		}
	}
	for _, r := range v.Refused {
		_, err := ParsePing(r.Payload)
		if r.Type == TypePong {
			_, err = ParsePong(r.Payload)
		}
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
}

func TestVectorLimits(t *testing.T) {
	v := readVectors(t)
	cfg := DefaultConfig()
	for _, diff := range v.Limits.Diff(vectors.Limits{
		"max-payload":      vectors.Of(MaxPayload, "bytes"),
		"max-uptime":       vectors.Of(int(All), "hundredths"),
		"ping-every":       vectors.Time(cfg.Every),
		"ping-first":       vectors.Time(cfg.First),
		"pong-within":      vectors.Time(cfg.Within),
		"max-missed":       vectors.Of(cfg.MaxMissed, "pings"),
		"pause":            vectors.Time(cfg.Pause),
		"remember":         vectors.Of(cfg.Remember, "nodes"),
		"ping-burst":       vectors.Of(pingBurst, "pings"),
		"ping-burst-every": vectors.Time(pingEvery),
	}) {
		t.Errorf("limit %s: the vectors and the code differ", diff)
	}
	for _, diff := range vectors.OddOffences(v.Offences, []core.Offence{OffenceMalformed, OffenceUnsolicited, OffenceTooOften}) {
		t.Errorf("offence %s: only in the vectors or only in the code", diff)
	}
}
