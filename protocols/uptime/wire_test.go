package uptime

import (
	"errors"
	"testing"
)

func TestMessagesSurviveTheWire(t *testing.T) {
	for _, p := range []Ping{{}, {ID: 1<<64 - 1, Uptime: All}, {ID: 7, Uptime: 9500}} {
		if got, err := ParsePing(p.Append(nil)); err != nil || got != p || len(p.Append(nil)) > MaxPayload {
			t.Errorf("%v came back as %v, %v", p, got, err)
		}
		if got, err := ParsePong(Pong{p.ID}.Append(nil)); err != nil || got.ID != p.ID {
			t.Errorf("pong %d came back as %v, %v", p.ID, got, err)
		}
	}
}

func TestPingBounds(t *testing.T) {
	for name, raw := range map[string][]byte{
		"more than all":   Ping{Uptime: All + 1}.Append(nil),
		"two uptimes":     append(Ping{ID: 1, Uptime: 1}.Append(nil), 0x10, 0x01),
		"noise":           {0xff},
		"65 bytes":        append(Ping{}.Append(nil), append([]byte{0x7a, 59}, make([]byte, 59)...)...),
		"2^64-1 percents": {0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
	} {
		if _, err := ParsePing(raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p, err := ParsePing(append(Ping{ID: 3, Uptime: 5}.Append(nil), 0x7a, 1, 0)); err != nil || p.ID != 3 {
		t.Errorf("an unknown field: %v, %v", p, err)
	}
}

func TestPercentIsShownWithTwoPlaces(t *testing.T) {
	for p, want := range map[Percent]string{0: "0.00%", 5: "0.05%", 9505: "95.05%", All: "100.00%"} {
		if p.String() != want {
			t.Errorf("%d is shown as %s", uint16(p), p)
		}
	}
}

func FuzzParsePing(f *testing.F) {
	f.Add(Ping{ID: 1, Uptime: 9999}.Append(nil))
	v := readVectors(f)
	for _, p := range v.Pings {
		f.Add([]byte(p.Payload))
	}
	for _, r := range v.Refused {
		f.Add([]byte(r.Payload))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePing(b)
		if err != nil {
			return
		}
		if again, err := ParsePing(p.Append(nil)); err != nil || again != p || p.Uptime > All {
			t.Fatalf("%x does not survive: %v", b, err)
		}
	})
}

func FuzzParsePong(f *testing.F) {
	f.Add(Pong{ID: 1}.Append(nil))
	for _, p := range readVectors(f).Pongs {
		f.Add([]byte(p.Payload))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePong(b)
		if err != nil {
			return
		}
		if again, err := ParsePong(p.Append(nil)); err != nil || again != p {
			t.Fatalf("%x does not survive: %v", b, err)
		}
	})
}
