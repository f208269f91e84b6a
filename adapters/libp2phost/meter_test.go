package libp2phost

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-msgio"
	"github.com/multiformats/go-varint"
)

// fakeStream is a stream whose bytes come in given portions; after the last it
// stalls until it is reset, or ends.
type fakeStream struct {
	network.Stream
	portions [][]byte
	stall    bool

	reset chan struct{}
	once  sync.Once
}

func newFakeStream(stall bool, portions ...[]byte) *fakeStream {
	return &fakeStream{portions: portions, stall: stall, reset: make(chan struct{})}
}

func (s *fakeStream) Read(p []byte) (int, error) {
	for len(s.portions) > 0 && len(s.portions[0]) == 0 {
		s.portions = s.portions[1:]
	}
	if len(s.portions) == 0 {
		return s.end()
	}
	n := copy(p, s.portions[0])
	s.portions[0] = s.portions[0][n:]
	return n, nil
}

func (s *fakeStream) end() (int, error) {
	if !s.stall {
		return 0, io.EOF
	}
	<-s.reset
	return 0, network.ErrReset
}

func (s *fakeStream) Reset() error { s.once.Do(func() { close(s.reset) }); return nil }
func (s *fakeStream) Close() error { return nil }

// framed is a message with its length prefix.
func framed(body []byte) []byte { return append(varint.ToUvarint(uint64(len(body))), body...) }

func body(n int) []byte { return bytes.Repeat([]byte{0xA5}, n) }

// in cuts b into portions of n bytes.
func in(n int, b []byte) (portions [][]byte) {
	for len(b) > 0 {
		k := min(n, len(b))
		portions = append(portions, b[:k:k])
		b = b[k:]
	}
	return portions
}

// soon is a timeout for what never comes, with slack for what comes before.
const soon = 300 * time.Millisecond

// testMetering is watched until the test ends.
func testMetering(t testing.TB, timeout time.Duration) *metering {
	g := newMetering(64<<10, timeout, newBudget(4<<20, 1<<20))
	ctx, cancel := context.WithCancel(context.Background())
	var task sync.WaitGroup
	task.Go(func() { g.watch(ctx) })
	t.Cleanup(func() { cancel(); task.Wait() })
	return g
}

func (m *metering) held() int { n, _ := m.budget.use(); return n }

func TestMessagesPassUnchangedHoweverTheyArrive(t *testing.T) {
	sizes := []int{0, 1, 127, 128, readAhead - 2, readAhead - 1, readAhead, 64<<10 - 1, 64 << 10, 64<<10 + 1, 3*pieceBytes + 7, 1 << 20}
	var wire []byte
	for _, n := range sizes {
		wire = append(wire, framed(body(n))...)
	}
	for _, portion := range []int{1, 2, 1000, readAhead, 1 << 20, len(wire)} {
		shared := testMetering(t, patience)
		m := newMeter(newFakeStream(false, in(portion, wire)...), 1<<20, shared)
		got, err := io.ReadAll(m)
		if err != nil || !bytes.Equal(got, wire) {
			t.Fatalf("portions of %d: %d of %d bytes, %v", portion, len(got), len(wire), err)
		}
		if shared.held() != 0 {
			t.Errorf("portions of %d: %d bytes still held", portion, shared.held())
		}
	}
}

func TestALengthOverTheLimitEndsTheStreamBeforeItIsShown(t *testing.T) {
	shared := testMetering(t, patience)
	s := newFakeStream(true, framed(body(10)), varint.ToUvarint(1<<20+1))
	r := msgio.NewVarintReaderSize(newMeter(s, 1<<20, shared), 1<<30)
	if msg, err := r.ReadMsg(); err != nil || len(msg) != 10 {
		t.Fatalf("the message before: %d bytes, %v", len(msg), err)
	}
	if _, err := r.NextMsgLen(); !errors.Is(err, errOversize) {
		t.Fatalf("got %v", err)
	}
	<-s.reset
	if n := shared.oversize.Load(); n != 1 {
		t.Fatalf("counted %d", n)
	}
}

func TestALengthThatIsNoVarintEndsTheStream(t *testing.T) {
	for name, prefix := range map[string][]byte{
		"too long":    bytes.Repeat([]byte{0xff}, 12),
		"not minimal": {0x80, 0x00},
	} {
		shared := testMetering(t, patience)
		s := newFakeStream(true, prefix)
		if _, err := newMeter(s, 1<<20, shared).Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: shown", name)
		}
		<-s.reset
		if n := shared.malformed.Load(); n != 1 {
			t.Errorf("%s: counted %d", name, n)
		}
	}
}

func TestALargeMessageIsShownOnlyWhenItIsWhole(t *testing.T) {
	wire := framed(body(1 << 20))
	shared := testMetering(t, soon)
	s := newFakeStream(true, wire[:len(wire)-1])
	n, err := newMeter(s, 1<<20, shared).Read(make([]byte, 1))
	if n != 0 || err == nil {
		t.Fatalf("%d bytes shown, %v", n, err)
	}
	<-s.reset
	if shared.slow.Load() != 1 || shared.held() != 0 {
		t.Fatalf("%d counted as slow, %d bytes held", shared.slow.Load(), shared.held())
	}
}

func TestAnAnnouncedMessageCostsOnlyWhatArrived(t *testing.T) {
	shared := testMetering(t, patience)
	s := newFakeStream(true, varint.ToUvarint(1<<20))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = newMeter(s, 1<<20, shared).Read(make([]byte, 1))
	}()
	eventually(t, "the message is begun", func() bool { return shared.held() > 0 })
	if n := shared.held(); n != pieceBytes {
		t.Errorf("%d bytes held", n)
	}
	_ = s.Reset()
	<-ended
}

func TestABegunMessageMustEndInTime(t *testing.T) {
	for name, portion := range map[string][]byte{
		"within the prefix":        {0x80},
		"within a small message":   framed(body(100))[:50],
		"within a medium message":  framed(body(60 << 10))[:30<<10],
		"within a large message":   framed(body(100 << 10))[:50<<10],
		"after a complete message": append(framed(body(5)), 0x05),
	} {
		shared := testMetering(t, soon)
		begin := time.Now()
		_, err := io.ReadAll(newMeter(newFakeStream(true, portion), 1<<20, shared))
		if !errors.Is(err, errSlow) || shared.slow.Load() != 1 || time.Since(begin) < shared.timeout {
			t.Errorf("%s: %v after %v, %d counted", name, err, time.Since(begin), shared.slow.Load())
		}
	}
}

func TestAStreamMayBeIdleBetweenMessages(t *testing.T) {
	shared := testMetering(t, soon)
	wire := framed(body(100 << 10))
	s := newFakeStream(true, in(20<<10, wire)...)
	m := newMeter(s, 1<<20, shared)
	if _, err := io.ReadFull(m, make([]byte, len(wire))); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(3*soon, func() { _ = s.Reset() })
	begin := time.Now()
	if _, err := m.Read(make([]byte, 1)); !errors.Is(err, network.ErrReset) || time.Since(begin) < 2*soon {
		t.Errorf("the idle stream ended after %v: %v", time.Since(begin), err)
	}
	if n := shared.slow.Load(); n != 0 {
		t.Error("an idle stream counts as slow")
	}
}

func TestOnlyAMessageThatDoesNotArriveWholeIsTimed(t *testing.T) {
	whole, cut := framed(body(readAhead/4)), framed(body(readAhead/4))
	m := newMeter(newFakeStream(true, append(whole, whole...), cut[:50], cut[50:]), 1<<20, testMetering(t, patience))
	read := func(n int) {
		t.Helper()
		if _, err := io.ReadFull(m, make([]byte, n)); err != nil {
			t.Fatal(err)
		}
	}
	read(2*len(whole) - 1)
	if m.begun.Load() != 0 {
		t.Error("a message that arrived whole is timed")
	}
	read(1 + 60)
	if m.begun.Load() == 0 {
		t.Error("a message that is incomplete is not timed")
	}
	read(len(cut) - 60)
	if m.begun.Load() != 0 {
		t.Error("a message is timed after its end")
	}
	_ = m.Reset()
	if n := len(m.shared.meters()); n != 0 {
		t.Errorf("%d streams are watched after their end", n)
	}
}

func TestAStreamThatEndsWithinAMessageIsAnError(t *testing.T) {
	for _, cut := range []int{1, 10, 70 << 10} {
		wire := framed(body(100 << 10))[:cut]
		_, err := io.ReadAll(newMeter(newFakeStream(false, wire), 1<<20, testMetering(t, patience)))
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

func TestAMessageThatNobodyReadsOnGivesItsBytesBack(t *testing.T) {
	for name, end := range map[string]func(*meter) error{
		"Reset": (*meter).Reset,
		"Close": (*meter).Close,
	} {
		shared := testMetering(t, patience)
		m := newMeter(newFakeStream(false, framed(body(1<<20))), 1<<20, shared)
		if _, err := m.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if shared.held() == 0 {
			t.Fatal("nothing is held")
		}
		if err := end(m); err != nil || shared.held() != 0 {
			t.Errorf("%s: %d bytes held, %v", name, shared.held(), err)
		}
	}
}

// FuzzMeter holds the meter against the reader that pubsub uses: the same bytes
// come out, cut where the first forbidden or incomplete large message begins.
func FuzzMeter(f *testing.F) {
	f.Add(framed(body(10)), uint8(3))
	f.Add(append(framed(nil), framed(body(300))...), uint8(1))
	f.Add(append(framed(body(200)), 0xff, 0xff, 0xff, 0xff, 0x0f), uint8(7))
	f.Add([]byte{0x80, 0x00}, uint8(1))
	f.Fuzz(func(t *testing.T, wire []byte, portion uint8) {
		const limit, large = 1000, 100
		shared := newMetering(large, time.Minute, newBudget(pieceBytes, pieceBytes))
		m := newMeter(newFakeStream(false, in(int(portion)+1, wire)...), limit, shared)
		got, err := io.ReadAll(m)
		want, ok := wellFormed(wire, limit, large)
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes shown, %d expected", len(got), len(want))
		}
		if ok != (err == nil) {
			t.Fatalf("well-formed %v, but %v", ok, err)
		}
		if shared.held() != 0 {
			t.Fatalf("%d bytes held", shared.held())
		}
	})
}

// wellFormed is the dumb twin: the part of wire that may be shown, and whether
// that is all of it and ends between messages.
func wellFormed(wire []byte, limit, large uint64) (shown []byte, ok bool) {
	at := 0
	for at < len(wire) {
		length, n, err := varint.FromUvarint(wire[at:])
		if err != nil || length > limit {
			return wire[:at], false
		}
		whole := at+n+int(length) <= len(wire)
		if !whole && length > large {
			return wire[:at], false
		}
		if !whole {
			return wire, false
		}
		at += n + int(length)
	}
	return wire, true
}
