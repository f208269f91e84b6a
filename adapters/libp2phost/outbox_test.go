package libp2phost

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"pgregory.net/rapid"

	"github.com/weftnet/weft/protocols/frame"
)

// An outbox hands out ordinary messages once each and in order, and of the vital
// ones of a type the newest, whatever is taken, put back and put in between.
func TestOutboxAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := outboxModel{vital: make(map[frame.Type]int)}
		t.Repeat(map[string]func(*rapid.T){
			"put":      m.put,
			"putVital": m.putVital,
			"take":     m.take,
			"":         m.compare,
		})
	})
}

// outboxModel numbers the messages and remembers which wait.
type outboxModel struct {
	box      outbox
	ordinary []int
	vital    map[frame.Type]int
	last     int
}

func (m *outboxModel) message(kind frame.Type, vital bool) outgoing {
	m.last++
	return outgoing{kind: kind, vital: vital, payload: binary.BigEndian.AppendUint32(nil, uint32(m.last))}
}

func number(o outgoing) int { return int(binary.BigEndian.Uint32(o.payload)) }

func (m *outboxModel) put(*rapid.T) {
	m.box.put(m.message(0, false))
	m.ordinary = append(m.ordinary, m.last)
}

func (m *outboxModel) putVital(t *rapid.T) {
	kind := frame.Type(rapid.IntRange(1, 3).Draw(t, "kind"))
	_, had := m.vital[kind]
	if replaced := m.box.putVital(m.message(kind, true)); replaced != had {
		t.Fatalf("replaced %v, had %v", replaced, had)
	}
	m.vital[kind] = m.last
}

// take takes a batch, sends a part of it, and puts the rest back.
func (m *outboxModel) take(t *rapid.T) {
	batch := m.box.take(nil, rapid.IntRange(0, 300).Draw(t, "limit"))
	if len(batch) == 0 && len(m.ordinary)+len(m.vital) > 0 {
		t.Fatal("nothing is taken")
	}
	sent := rapid.IntRange(0, len(batch)).Draw(t, "sent")
	place := 0 // among the ordinary ones
	for _, o := range batch {
		if o.vital && m.vital[o.kind] != number(o) || !o.vital && m.ordinary[place] != number(o) {
			t.Fatalf("took %d out of turn", number(o))
		}
		if !o.vital {
			place++
		}
	}
	for _, o := range batch[:sent] {
		if o.vital {
			delete(m.vital, o.kind)
		} else {
			m.ordinary = m.ordinary[1:]
		}
	}
	if rest := batch[sent:]; len(rest) > 0 && rest[0].vital && rapid.Bool().Draw(t, "newer") {
		m.box.putVital(m.message(rest[0].kind, true)) // comes while the older is being sent
		m.vital[rest[0].kind] = m.last
	}
	m.box.putBack(batch[sent:])
}

func (m *outboxModel) compare(t *rapid.T) {
	if m.box.empty() != (len(m.ordinary)+len(m.vital) == 0) || len(m.box.ordinary)-m.box.head != len(m.ordinary) || len(m.box.vital) != len(m.vital) {
		t.Fatalf("holds %d and %d, not %d and %d", len(m.box.ordinary)-m.box.head, len(m.box.vital), len(m.ordinary), len(m.vital))
	}
}

func TestAnOutboxHasPlaceForOneLargeMessageAndSmallOnesBesideIt(t *testing.T) {
	w := load{maxMessages: 256, maxBytes: 1 << 20}
	large, small := outgoing{payload: make([]byte, frame.MaxPayload)}, outgoing{payload: make([]byte, 1000)}
	if !w.fits(large) {
		t.Fatal("a large message does not fit")
	}
	w.add(large)
	if w.fits(large) || !w.fits(small) {
		t.Errorf("beside a large message: another fits: %v, a small one: %v", w.fits(large), w.fits(small))
	}
	for w.fits(small) {
		w.add(small)
	}
	if w.messages < 100 || w.messages > 256 {
		t.Errorf("%d messages", w.messages)
	}
	w.remove(large)
	for ; w.messages > 0; w.remove(small) {
	}
	if w.bytes != 0 {
		t.Errorf("%d bytes are left", w.bytes)
	}
}

// narrow is a stream that takes a number of bytes, and then fails.
type narrow struct {
	network.Stream
	room int
	got  []byte
}

var errNarrow = errors.New("full")

func (n *narrow) Write(p []byte) (int, error) {
	k := min(n.room, len(p))
	n.got = append(n.got, p[:k]...)
	if n.room -= k; k < len(p) {
		return k, errNarrow
	}
	return k, nil
}

func noExtend(network.Stream) error { return nil }

// A batch that broke off goes on, on a new stream, with the first message that did
// not get through whole: none is lost and none comes twice.
func TestABatchGoesOnWhereItsStreamEnded(t *testing.T) {
	messages := []outgoing{{payload: []byte("one")}, {payload: []byte{}}, {payload: bytes.Repeat([]byte("three"), 20)}}
	open := hello(talkProtocol)
	whole := 0
	for _, o := range messages {
		whole += o.size()
	}
	for room := range len(open) + whole + 1 {
		b := newBatch()
		b.messages = append(b.messages, messages...)
		b.encode(frame.Sender{}, time.Now())
		first, second := &narrow{room: room}, &narrow{room: 1 << 20}
		err := b.write(first, open, noExtend)
		got := payloads(t, first.got[min(len(open), len(first.got)):])
		if n, _ := b.done(); n != len(got) {
			t.Fatalf("room %d: %d messages are done, %d came", room, n, len(got))
		}
		if err != nil {
			if err := b.write(second, open, noExtend); err != nil {
				t.Fatal(err)
			}
			got = append(got, payloads(t, second.got[len(open):])...)
		}
		if len(got) != len(messages) || string(got[0]) != "one" || len(got[1]) != 0 || !bytes.Equal(got[2], messages[2].payload) {
			t.Fatalf("room %d: got %q", room, got)
		}
		b.free()
	}
}

func TestAMessageLargerThanABatchIsWrittenWhole(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789"), 30_000)
	b := newBatch()
	defer b.free()
	b.messages = append(b.messages, outgoing{payload: large})
	b.encode(frame.Sender{}, time.Now())
	s := &narrow{room: 250_000}
	if err := b.write(s, nil, noExtend); !errors.Is(err, errNarrow) {
		t.Fatal(err)
	}
	if n, _ := b.done(); n != 0 {
		t.Errorf("%d messages are done", n)
	}
	s = &narrow{room: 1 << 20}
	if err := b.write(s, nil, noExtend); err != nil {
		t.Fatal(err)
	}
	if got := payloads(t, s.got); len(got) != 1 || !bytes.Equal(got[0], large) {
		t.Errorf("%d messages came", len(got))
	}
}

// payloads takes apart the complete messages in wire.
func payloads(t *testing.T, wire []byte) (list [][]byte) {
	t.Helper()
	d := frame.NewDecoder(frame.MaxPayload)
	for len(wire) > 0 {
		n := copy(d.Space(len(wire)), wire)
		wire = wire[n:]
		done, err := d.Advance(n)
		if err != nil {
			t.Fatal(err)
		}
		if done {
			_, payload, err := d.Take()
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, payload)
		}
	}
	return list
}
