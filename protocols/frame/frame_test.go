package frame

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

var now = time.UnixMilli(1_750_000_000_123)

func header() Header {
	h := Header{Type: 7, Time: now}
	for i := range h.Sender {
		h.Sender[i] = byte(i)
	}
	return h
}

func message(t testing.TB, payload []byte) []byte {
	t.Helper()
	b, err := Append(nil, header(), payload)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// drain feeds a stream in pieces and returns the payloads and the faults.
func drain(d *Decoder, stream []byte, piece int) (payloads [][]byte, short int, err error) {
	for {
		space := d.Space(piece)
		n := copy(space, stream)
		stream = stream[n:]
		done, err := d.Advance(n)
		if err != nil {
			return payloads, short, err
		}
		if done {
			_, p, err := d.Take()
			if errors.Is(err, ErrShort) {
				short++
			} else {
				payloads = append(payloads, p)
			}
		} else if n == 0 {
			return payloads, short, nil
		}
	}
}

// The bytes of a message are a promise to other implementations.
func TestGoldenBytes(t *testing.T) {
	for _, c := range []struct {
		name    string
		h       Header
		payload string
		want    string
	}{
		{"empty", Header{Time: time.UnixMilli(0)}, "", "00000029" + strings.Repeat("00", 41)},
		{"payload", header(), "weft", "0000002d" + "07" +
			"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" + "000001977420dc7b" + "77656674"},
		{"before 1970", Header{Type: 255, Time: time.UnixMilli(-1)}, "", "00000029ff" + strings.Repeat("00", 32) + "ffffffffffffffff"},
	} {
		got, err := Append(nil, c.h, []byte(c.payload))
		if err != nil || hex.EncodeToString(got) != c.want {
			t.Errorf("%s: %x, %v\n want %s", c.name, got, err, c.want)
		}
		h, p, err := Parse(got[LengthSize:])
		if err != nil || h.Type != c.h.Type || h.Sender != c.h.Sender || !h.Time.Equal(c.h.Time) || string(p) != c.payload {
			t.Errorf("%s: read back as %v %q, %v", c.name, h, p, err)
		}
	}
}

func TestAMessageIsReadWhateverThePieces(t *testing.T) {
	payloads := [][]byte{{}, []byte("a"), bytes.Repeat([]byte("b"), 5000), []byte("last")}
	var stream []byte
	for _, p := range payloads {
		stream = append(stream, message(t, p)...)
	}
	for _, piece := range []int{1, 3, 41, 45, 4096, math.MaxInt} {
		got, short, err := drain(NewDecoder(MaxPayload), stream, piece)
		if err != nil || short != 0 || len(got) != len(payloads) {
			t.Fatalf("piece %d: %d messages, %d short, %v", piece, len(got), short, err)
		}
		for i := range got {
			if !bytes.Equal(got[i], payloads[i]) {
				t.Errorf("piece %d: message %d differs", piece, i)
			}
		}
	}
}

func TestAShortMessageIsSkippedAndTheNextIsRead(t *testing.T) {
	for n := range HeaderSize {
		stream := append([]byte{0, 0, 0, byte(n)}, make([]byte, n)...)
		stream = append(stream, message(t, []byte("next"))...)
		got, short, err := drain(NewDecoder(MaxPayload), stream, 7)
		if err != nil || short != 1 || len(got) != 1 || string(got[0]) != "next" {
			t.Errorf("length %d: %q, %d short, %v", n, got, short, err)
		}
	}
}

func TestATooLongMessageEndsTheStream(t *testing.T) {
	for _, c := range []struct {
		limit, payload int
		ok             bool
	}{
		{100, 100, true}, {100, 101, false}, {MaxPayload, MaxPayload, true}, {MaxPayload, MaxPayload + 1, false},
		{math.MaxInt, MaxPayload + 1, false}, {0, 0, true}, {0, 1, false}, {MaxPayload, math.MaxUint32 - HeaderSize, false},
	} {
		length := uint32(HeaderSize + c.payload)
		stream := []byte{byte(length >> 24), byte(length >> 16), byte(length >> 8), byte(length)}
		d := NewDecoder(c.limit)
		_, _, err := drain(d, stream, 4)
		if errors.Is(err, ErrTooLong) == c.ok {
			t.Errorf("limit %d, payload %d: %v", c.limit, c.payload, err)
		}
		if c.ok {
			continue
		}
		if _, again := d.Advance(0); !errors.Is(again, ErrTooLong) || d.Need() != 0 || d.Space(1) != nil {
			t.Errorf("limit %d, payload %d: the decoder goes on after a final error", c.limit, c.payload)
		}
	}
	if _, err := Append(nil, header(), make([]byte, MaxPayload+1)); !errors.Is(err, ErrTooLong) {
		t.Errorf("a message over the limit was written: %v", err)
	}
}

func TestTheBufferGrowsWithWhatArrivedNotWithWhatWasAnnounced(t *testing.T) {
	d := NewDecoder(MaxPayload)
	announce := message(t, make([]byte, MaxPayload))[:LengthSize]
	copy(d.Space(LengthSize), announce)
	if _, err := d.Advance(LengthSize); err != nil || !d.InBody() {
		t.Fatal("the length was not taken", err)
	}
	for arrived := 0; d.Need() > 0; {
		n := min(1000, len(d.Space(math.MaxInt)))
		if room := len(d.body); room > max(firstPiece, 2*arrived) {
			t.Fatalf("room for %d bytes after %d arrived", room, arrived)
		}
		if _, err := d.Advance(n); err != nil {
			t.Fatal(err)
		}
		arrived += n
	}
}

func TestRoomIsReservedForTheNextBytesAndNoMore(t *testing.T) {
	const payload, piece = 300_000, 64 << 10
	d := NewDecoder(MaxPayload)
	d.Reserve(piece) // before the length is known there is nothing to reserve
	stream := message(t, bytes.Repeat([]byte("x"), payload))
	for arrived := 0; len(stream) > 0; {
		d.Reserve(piece)
		space := d.Space(piece)
		if room := len(d.body); d.InBody() && room < min(HeaderSize+payload, arrived+piece) || room > max(piece, arrived+piece, 2*arrived) {
			t.Fatalf("room for %d bytes after %d arrived", room, arrived)
		}
		n := copy(space[:min(len(space), 50_000)], stream)
		if d.InBody() {
			arrived += n
		}
		stream = stream[n:]
		if _, err := d.Advance(n); err != nil {
			t.Fatal(err)
		}
	}
	if _, got, err := d.Take(); err != nil || !bytes.Equal(got, bytes.Repeat([]byte("x"), payload)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestEveryMessageHasAPayloadOfItsOwn(t *testing.T) {
	d := NewDecoder(MaxPayload)
	stream := append(message(t, []byte("first")), message(t, []byte("other"))...)
	got, _, _ := drain(d, stream, 100)
	if string(got[0]) != "first" || string(got[1]) != "other" {
		t.Errorf("got %q: a later message wrote over an earlier one", got)
	}
}

func TestSenderAndTimeAreChecked(t *testing.T) {
	const skew = time.Minute
	for _, c := range []struct {
		name   string
		change func(*Header)
		want   error
	}{
		{"all well", func(*Header) {}, nil},
		{"another sender", func(h *Header) { h.Sender[31]++ }, ErrSender},
		{"just early enough", func(h *Header) { h.Time = now.Add(skew) }, nil},
		{"just late enough", func(h *Header) { h.Time = now.Add(-skew) }, nil},
		{"future", func(h *Header) { h.Time = now.Add(skew + time.Millisecond) }, ErrSkew},
		{"past", func(h *Header) { h.Time = now.Add(-skew - time.Millisecond) }, ErrSkew},
		{"end of time", func(h *Header) { h.Time = time.UnixMilli(math.MaxInt64) }, ErrSkew},
		{"begin of time", func(h *Header) { h.Time = time.UnixMilli(math.MinInt64) }, ErrSkew},
	} {
		h := header()
		c.change(&h)
		b, err := Append(nil, h, nil)
		if err != nil {
			t.Fatal(err)
		}
		h, _, _ = Parse(b[LengthSize:])
		if err := h.Check(header().Sender, now, skew); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestOnlyEd25519PeersHaveASender(t *testing.T) {
	for _, c := range []struct {
		kind int
		want error
	}{{crypto.Ed25519, nil}, {crypto.Secp256k1, ErrKey}, {crypto.RSA, ErrKey}} {
		_, pub, err := crypto.GenerateKeyPairWithReader(c.kind, 2048, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		id, err := peer.IDFromPublicKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		s, err := SenderOf(id)
		if !errors.Is(err, c.want) {
			t.Errorf("key type %v: %v, want %v", pub.Type(), err, c.want)
		}
		if raw, _ := pub.Raw(); err == nil && !bytes.Equal(s[:], raw) {
			t.Errorf("sender %x, want the raw key %x", s, raw)
		}
	}
	if _, err := SenderOf(""); !errors.Is(err, ErrKey) {
		t.Errorf("empty peer ID: %v", err)
	}
}

// dumb reads a stream the obvious way.
func dumb(stream []byte, limit int) (payloads [][]byte, short int, tooLong bool) {
	for len(stream) >= LengthSize {
		n := int(stream[0])<<24 | int(stream[1])<<16 | int(stream[2])<<8 | int(stream[3])
		if n > limit+HeaderSize {
			return payloads, short, true
		}
		if stream = stream[LengthSize:]; len(stream) < n {
			break
		}
		if n < HeaderSize {
			short++
		} else {
			payloads = append(payloads, stream[HeaderSize:n])
		}
		stream = stream[n:]
	}
	return payloads, short, false
}

func FuzzDecoder(f *testing.F) {
	f.Add([]byte{}, uint8(1))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 1, 9}, uint8(2))
	f.Add([]byte{255, 255, 255, 255}, uint8(4))
	f.Add(append(message(f, []byte("a")), message(f, nil)...), uint8(5))
	for _, s := range readVectors(f).Streams {
		f.Add([]byte(s.Stream), uint8(40))
	}
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8) {
		const limit = 1 << 10
		d := NewDecoder(limit)
		got, short, err := drain(d, stream, int(piece)+1)
		want, wantShort, tooLong := dumb(stream, limit)
		if short != wantShort || errors.Is(err, ErrTooLong) != tooLong || len(got) != len(want) {
			t.Fatalf("%d messages, %d short, %v; want %d, %d, too long %v", len(got), short, err, len(want), wantShort, tooLong)
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("message %d is %x, want %x", i, got[i], want[i])
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(message(f, []byte("weft"))[LengthSize:])
	for _, m := range readVectors(f).Messages {
		f.Add([]byte(m.Message[LengthSize:]))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		h, payload, err := Parse(body)
		if err != nil {
			return
		}
		if again, err := Append(nil, h, payload); err != nil || !bytes.Equal(again[LengthSize:], body) {
			t.Fatalf("%x is read as %v %x, which is written as %x, %v", body, h, payload, again, err)
		}
	})
}

func TestHeadersAndReuseAllocateNothing(t *testing.T) {
	h, buf := header(), make([]byte, 0, 2048)
	payload := make([]byte, 1024)
	msg := message(t, payload)
	for name, f := range map[string]func(){
		"append": func() { _, _ = Append(buf[:0], h, payload) },
		"parse":  func() { _, _, _ = Parse(msg[LengthSize:]) },
		"check":  func() { _ = h.Check(h.Sender, now, time.Minute) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkAppend1KiB(b *testing.B) {
	h, buf, payload := header(), make([]byte, 0, 2048), make([]byte, 1024)
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		_, _ = Append(buf[:0], h, payload)
	}
}

func BenchmarkParse(b *testing.B) {
	msg := message(b, make([]byte, 1024))[LengthSize:]
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = Parse(msg)
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
	}{{"1KiB", 1 << 10}, {"64KiB", 64 << 10}, {"16MiB", MaxPayload}} {
		b.Run(c.name, func(b *testing.B) {
			msg, d := message(b, make([]byte, c.size)), NewDecoder(MaxPayload)
			b.ReportAllocs()
			b.SetBytes(int64(len(msg)))
			for b.Loop() {
				_, _, _ = drain(d, msg, 64<<10)
			}
		})
	}
}
