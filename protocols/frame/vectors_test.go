package frame

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/docs/protocols/vectors"
)

// framing is docs/protocols/vectors/framing.json.
type framing struct {
	vectors.Page
	Messages []struct {
		Name    string      `json:"name"`
		Type    Type        `json:"type"`
		Sender  vectors.Hex `json:"sender"`
		Time    int64       `json:"time_ms"`
		Payload vectors.Hex `json:"payload"`
		Message vectors.Hex `json:"message"`
	} `json:"messages"`
	Streams []struct {
		Name   string      `json:"name"`
		Limit  int         `json:"max_payload"`
		Stream vectors.Hex `json:"stream"`
		Reads  []string    `json:"reads"` // a payload in hex, "short", or "too-long"
	} `json:"streams"`
	Checks []struct {
		Name          string      `json:"name"`
		Authenticated vectors.Hex `json:"authenticated"`
		Now           int64       `json:"now_ms"`
		Skew          int64       `json:"skew_ms"`
		Body          vectors.Hex `json:"body"`
		Verdict       string      `json:"verdict"`
	} `json:"checks"`
}

// verdicts are the outcomes of reading a message, as the vectors name them.
var verdicts = map[string]error{"ok": nil, "short": ErrShort, "too-long": ErrTooLong, "sender": ErrSender, "skew": ErrSkew}

func readVectors(t testing.TB) (v framing) {
	t.Helper()
	if err := vectors.Read("framing", &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectors(t *testing.T) {
	v := readVectors(t)
	for _, m := range v.Messages {
		h := Header{Type: m.Type, Sender: Sender(m.Sender), Time: time.UnixMilli(m.Time)}
		if got, err := Append(nil, h, m.Payload); err != nil || !m.Message.Is(got) {
			t.Errorf("%s: %x, %v\n want %v", m.Name, got, err, m.Message)
		}
		if h2, p, err := Parse(m.Message[LengthSize:]); err != nil || h2 != h || !m.Payload.Is(p) {
			t.Errorf("%s is read as %v %x, %v", m.Name, h2, p, err)
		}
	}
	for _, s := range v.Streams {
		if got := outcomes(s.Limit, s.Stream); !slices.Equal(got, s.Reads) {
			t.Errorf("%s: read %q, want %q", s.Name, got, s.Reads)
		}
	}
	for _, c := range v.Checks {
		h, _, err := Parse(c.Body)
		if err == nil {
			err = h.Check(Sender(c.Authenticated), time.UnixMilli(c.Now), time.Duration(c.Skew)*time.Millisecond)
		}
		if want, known := verdicts[c.Verdict]; !known || !errors.Is(err, want) {
			t.Errorf("%s: %v, want %s", c.Name, err, c.Verdict)
		}
	}
}

// outcomes reads a whole stream.
func outcomes(limit int, stream []byte) (reads []string) {
	for d := NewDecoder(limit); len(stream) > 0; {
		n := copy(d.Space(len(stream)), stream)
		stream = stream[n:]
		done, err := d.Advance(n)
		if err != nil {
			return append(reads, "too-long")
		}
		if !done {
			continue
		}
		if _, payload, err := d.Take(); err != nil {
			reads = append(reads, "short")
		} else {
			reads = append(reads, vectors.Hex(payload).String())
		}
	}
	return reads
}

func TestVectorKeys(t *testing.T) {
	keys, err := vectors.Keys()
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range keys {
		id, err := peer.Decode(k.Text)
		if err != nil || !k.PeerID.Is([]byte(id)) {
			t.Errorf("%s is %x, %v", name, string(id), err)
		}
		s, err := SenderOf(id)
		if err != nil || !k.Public.Is(s[:]) || !k.Public.Is(k.Private()[32:]) {
			t.Errorf("%s sends as %x, %v", name, s, err)
		}
	}
}

func TestVectorLimits(t *testing.T) {
	v := readVectors(t)
	for _, diff := range v.Limits.Diff(vectors.Limits{
		"length":      vectors.Of(LengthSize, "bytes"),
		"header":      vectors.Of(HeaderSize, "bytes"),
		"max-payload": vectors.Of(MaxPayload, "bytes"),
		"first-piece": vectors.Of(firstPiece, "bytes"),
	}) {
		t.Errorf("limit %s: the vectors and the code differ", diff)
	}
}
