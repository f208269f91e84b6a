package fetch

import (
	"bytes"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/object"
)

// ask lets a peer ask for an object.
func (r *rig) asks(from core.PeerID, number uint64, id object.ID, closure bool) []core.Action {
	return r.receive(from, Protocol, TypeRequest, Message{Request: number, ID: id, Closure: closure})
}

func (r *rig) gives(s Serve, status Status, objects ...[]byte) []core.Action {
	return r.do(func(out *[]core.Action) { r.Answer(r.now, s.Peer, s.Request, status, objects, out) })
}

// protocols are what the answers among actions travel on.
func protocols(out []core.Action) (all []string) {
	for _, s := range of[core.Send](out) {
		if s.Type == TypeAnswer {
			all = append(all, s.Protocol)
		}
	}
	return all
}

func TestARequestIsServed(t *testing.T) {
	for status, objects := range map[Status][][]byte{
		StatusFound: {[]byte("object")}, StatusNotFound: nil, StatusPruned: nil, StatusRefused: nil,
	} {
		r := newRig(t, 1)
		r.sizes[id1] = 6
		out := r.asks(peerN(0), 7, id1, false)
		serve := of[Serve](out)
		if len(serve) != 1 || len(out) != 1 || serve[0].ID != id1 || serve[0].Closure || serve[0].MaxObjects != 1 || serve[0].MaxBytes != object.MaxSize {
			t.Fatalf("%v", out)
		}
		answers := sent(r.gives(serve[0], status, objects...), TypeAnswer)
		if len(answers) != 1 || answers[0].peer != peerN(0) || answers[0].Request != 7 || answers[0].ID != id1 || answers[0].Status != status {
			t.Errorf("%s: %+v", status, answers)
		}
		if out := r.gives(serve[0], status, objects...); len(out) != 0 {
			t.Errorf("answered twice: %v", out)
		}
		if s := r.Stats(); s.Asked != 1 || s.GaveFound+s.GaveNotFound+s.GavePruned+s.GaveRefused != 1 {
			t.Errorf("%+v", s)
		}
		r.empty()
	}
}

// What a composer cannot mean is not sent.
func TestAnswersThatCannotBeSentAreRefusals(t *testing.T) {
	for name, give := range map[string]func(r *rig, s Serve) []core.Action{
		"found without an object":   func(r *rig, s Serve) []core.Action { return r.gives(s, StatusFound) },
		"found with an empty one":   func(r *rig, s Serve) []core.Action { return r.gives(s, StatusFound, nil) },
		"found with a huge one":     func(r *rig, s Serve) []core.Action { return r.gives(s, StatusFound, make([]byte, object.MaxSize+1)) },
		"a status that is not sent": func(r *rig, s Serve) []core.Action { return r.gives(s, StatusGone) },
		"nothing for too long":      func(r *rig, s Serve) []core.Action { return r.advance() },
	} {
		r := newRig(t, 1)
		s := of[Serve](r.asks(peerN(0), 1, id1, false))[0]
		if answers := sent(give(r, s), TypeAnswer); len(answers) != 1 || answers[0].Status != StatusRefused {
			t.Errorf("%s: %+v", name, answers)
		}
		r.empty()
	}
}

func TestAClosureIsCutToItsBounds(t *testing.T) {
	objects := make([][]byte, 2000)
	for i := range objects {
		objects[i] = bytes.Repeat([]byte{byte(i)}, 100+i)
	}
	last := objects[len(objects)-1]
	for name, tc := range map[string]struct {
		change  func(*Config)
		closure bool
		extras  int
	}{
		"by bytes":      {func(*Config) {}, true, 576}, // 2,099 bytes, and of 4 + 2,098, 4 + 2,097 … as many as a MiB holds
		"by objects":    {func(c *Config) { c.ClosureObjects = 10 }, true, 9},
		"not given":     {func(c *Config) { c.ClosureObjects = 1 }, true, 0},
		"not asked for": {func(*Config) {}, false, 0},
	} {
		r := newRig(t, 1, tc.change)
		s := of[Serve](r.asks(peerN(0), 1, id1, tc.closure))[0]
		if s.Closure != (s.MaxObjects > 1) || s.MaxObjects > 1 && s.MaxBytes != 1<<20 {
			t.Errorf("%s: %+v", name, s)
		}
		answer := sent(r.gives(s, StatusFound, objects...), TypeAnswer)[0]
		if len(answer.Extras) != tc.extras || !bytes.Equal(answer.Object, last) {
			t.Errorf("%s: %d extras", name, len(answer.Extras))
		}
		for i, e := range answer.Extras {
			if !bytes.Equal(e, objects[len(objects)-1-tc.extras+i]) {
				t.Fatalf("%s: extra %d is another", name, i)
			}
		}
	}
}

func TestLargeAnswersTravelOnAStreamOfTheirOwn(t *testing.T) {
	r := newRig(t, 1)
	r.sizes[id1] = MaxPayload
	out := r.asks(peerN(0), 1, id1, false)
	if coming := sent(out, TypeComing); len(coming) != 1 || coming[0].Request != 1 || coming[0].Bytes != MaxPayload {
		t.Fatalf("announced %+v", coming)
	}
	serve := of[Serve](out)[0]
	smaller := of[Serve](r.asks(peerN(0), 2, id2, false))
	if len(smaller) != 1 {
		t.Fatal("a small one waits for a large one")
	}
	if on := protocols(r.gives(smaller[0], StatusFound, make([]byte, MaxPayload-extra))); len(on) != 1 || on[0] != Protocol {
		t.Errorf("the small one travels on %v", on)
	}
	out = r.gives(serve, StatusFound, make([]byte, MaxPayload))
	if on := protocols(out); len(on) != 1 || on[0] != BulkProtocol || len(sent(out, TypeComing)) != 0 {
		t.Errorf("the large one travels on %v", on)
	}
	out = r.gives(of[Serve](r.asks(peerN(0), 3, id2, true))[0], StatusFound, make([]byte, MaxPayload), []byte("object"))
	if on := protocols(out); len(on) != 1 || on[0] != BulkProtocol || len(sent(out, TypeComing)) != 1 {
		t.Errorf("a large closure travels on %v", on)
	}
	r.empty()
}

// One large answer after another, paced; and the asker knows how long it takes.
func TestLargeAnswersArePaced(t *testing.T) {
	r := newRig(t, 1, func(c *Config) { c.BytesPerSecond = 512 << 10 })
	const size = 4 << 20
	var serves []Serve
	for i := range uint64(10) {
		id := object.ID{byte(i)}
		r.sizes[id] = size
		out := r.asks(peerN(0), i+1, id, false)
		serves = append(serves, of[Serve](out)...)
		refused := sent(out, TypeAnswer)
		if i < 8 != (len(refused) == 0) || i >= 8 && refused[0].Status != StatusRefused {
			t.Fatalf("request %d: %v", i, out)
		}
		if coming := sent(out, TypeComing); i > 0 && i < 8 && coming[0].Bytes != (i+1)*size-256<<10 {
			t.Errorf("request %d: %d bytes are announced", i, coming[0].Bytes)
		}
	}
	for n := 1; n <= 8; n++ {
		if len(serves) != n {
			t.Fatalf("%d are loaded, want %d", len(serves), n)
		}
		serves = append(serves, of[Serve](r.gives(serves[n-1], StatusFound, make([]byte, size)))...)
		if n < 8 {
			serves = append(serves, of[Serve](r.advance())...)
		}
	}
	if d := r.now.Sub(start); d < 55*time.Second || d > 57*time.Second { // seven of 8 s each, less the burst
		t.Errorf("it took %v", d)
	}
	r.empty()
}

func TestRequestsArePacedAndBounded(t *testing.T) {
	r := newRig(t, 2, func(c *Config) { c.RequestsPerSecond, c.RequestBurst = 10, 3 })
	loads := func(out []core.Action) (n int) { return len(of[Serve](out)) }
	n, refused := 0, 0
	for i := range uint64(80) {
		out := r.asks(peerN(0), i+1, object.ID{byte(i)}, i%2 == 0)
		n += loads(out)
		refused += len(sent(out, TypeAnswer))
		r.faulted(out)
	}
	if s := r.Stats(); n != 3 || refused != 3 || s.Silent != 13 || s.Serving != 64 {
		t.Errorf("%d are loaded, %d refused: %+v", n, refused, s)
	}
	r.faulted(r.asks(peerN(0), 1, object.ID{}, false), OffenceUnsolicited)
	if out := r.asks(peerN(1), 1, id1, false); loads(out) != 1 {
		t.Errorf("another peer waits: %v", out)
	}
	before := r.now
	for n < 13 {
		n += loads(r.advance())
	}
	if d := r.now.Sub(before); d < 900*time.Millisecond || d > 1100*time.Millisecond {
		t.Errorf("ten more after %v", d)
	}
	r.down(peerN(0))
	r.down(peerN(1))
	if s := r.Stats(); s.Serving != 0 || !r.Deadline().IsZero() {
		t.Errorf("after the end: %+v, due %v", s, r.Deadline())
	}
}

func TestSmallAnswersArePacedByBytes(t *testing.T) {
	r := newRig(t, 1, func(c *Config) { c.BytesPerSecond = 512 << 10 })
	for i := range 64 {
		r.sizes[object.ID{byte(i)}] = 60 << 10
	}
	var serves []Serve
	for i := range uint64(64) {
		serves = append(serves, of[Serve](r.asks(peerN(0), i+1, object.ID{byte(i)}, false))...)
	}
	if len(serves) != 9 { // 512 KiB
		t.Errorf("%d at once", len(serves))
	}
	for served := 0; served < len(serves); served++ {
		serves = append(serves, of[Serve](r.gives(serves[served], StatusFound, make([]byte, 60<<10)))...)
		for served == len(serves)-1 && len(serves) < 64 {
			serves = append(serves, of[Serve](r.advance())...)
		}
	}
	if d := r.now.Sub(start); len(serves) != 64 || d < 6*time.Second || d > 7*time.Second {
		t.Errorf("%d took %v", len(serves), d) // 3.75 MiB, less 512 KiB and the last
	}
	r.empty()
}

func TestAnEmptyObjectEndsAClosure(t *testing.T) {
	r := newRig(t, 1)
	s := of[Serve](r.asks(peerN(0), 1, id1, true))[0]
	answer := sent(r.gives(s, StatusFound, []byte("a"), nil, []byte("b"), []byte("object")), TypeAnswer)[0]
	if len(answer.Extras) != 1 || string(answer.Extras[0]) != "b" {
		t.Errorf("%q", answer.Extras)
	}
}

// A closure is never put off for the sake of a large answer, but made small.
func TestAClosureBesideALargeAnswerIsSmall(t *testing.T) {
	r := newRig(t, 1)
	r.sizes[id1] = 1 << 20
	r.asks(peerN(0), 1, id1, false)
	serve := of[Serve](r.asks(peerN(0), 2, id2, true))
	if len(serve) != 1 || serve[0].MaxBytes > MaxPayload || !serve[0].Closure {
		t.Fatalf("%+v", serve)
	}
	objects := [][]byte{make([]byte, 40<<10), make([]byte, 30<<10), make([]byte, 20<<10)}
	out := r.gives(serve[0], StatusFound, objects...)
	if on := protocols(out); on[0] != Protocol || len(sent(out, TypeAnswer)[0].Extras) != 1 {
		t.Errorf("it travels on %v", on)
	}
	// Closures that come together are loaded one by one: each knows what is left.
	r.now = r.now.Add(time.Minute)
	r.down(peerN(0))
	r.PeerUp(peerN(0))
	serve = of[Serve](r.asks(peerN(0), 3, id2, true))
	if more := of[Serve](r.asks(peerN(0), 4, id2, true)); len(more) != 0 {
		t.Fatalf("two at a time: %v", more)
	}
	next := of[Serve](r.gives(serve[0], StatusFound, make([]byte, 500<<10), []byte("object")))
	if serve[0].MaxBytes != 1<<20 || len(next) != 1 || next[0].MaxBytes > MaxPayload {
		t.Errorf("%+v, then %+v", serve, next)
	}
}
