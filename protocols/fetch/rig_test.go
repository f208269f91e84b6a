package fetch

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/object"
)

var start = time.Unix(1_800_000_000, 0)

func peerN(i int) core.PeerID { return core.PeerID(fmt.Sprintf("p%02d", i)) }

func peersN(n int) (ids []core.PeerID) {
	for i := range n {
		ids = append(ids, peerN(i))
	}
	return ids
}

// rig is one machine among peers that are only names.
type rig struct {
	*Machine
	t     testing.TB
	now   time.Time
	sizes map[object.ID]int // held here
	out   []core.Action     // of the last input
}

func newRig(t testing.TB, peers int, change ...func(*Config)) *rig {
	cfg := DefaultConfig()
	for _, c := range change {
		c(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, now: start, sizes: map[object.ID]int{}}
	r.Machine = New(cfg, func(id object.ID) int { return r.sizes[id] }, start)
	for i := range peers {
		r.PeerUp(peerN(i))
	}
	return r
}

func (r *rig) do(input func(out *[]core.Action)) []core.Action {
	r.out = nil
	input(&r.out)
	return r.out
}

func (r *rig) want(id object.ID, holders ...core.PeerID) []core.Action {
	return r.do(func(out *[]core.Action) { r.Want(r.now, Want{ID: id, Holders: holders}, out) })
}

func (r *rig) receive(from core.PeerID, protocol string, kind frame.Type, m Message) []core.Action {
	return r.do(func(out *[]core.Action) { r.Receive(r.now, from, protocol, kind, m.Append(kind, nil), out) })
}

// answer lets a peer answer a request.
func (r *rig) answer(q asked, m Message) []core.Action {
	m.Request, m.ID = q.Request, q.ID
	return r.receive(q.peer, Protocol, TypeAnswer, m)
}

func found(obj string, extras ...string) Message {
	m := Message{Status: StatusFound, Object: []byte(obj)}
	for _, e := range extras {
		m.Extras = append(m.Extras, []byte(e))
	}
	return m
}

func (r *rig) down(peer core.PeerID) []core.Action {
	return r.do(func(out *[]core.Action) { r.PeerDown(r.now, peer, out) })
}

// advance moves the clock to the next deadline and ticks.
func (r *rig) advance() []core.Action {
	r.t.Helper()
	d := r.Deadline()
	if d.IsZero() || d.Before(r.now) {
		r.t.Fatalf("deadline %v, now %v", d, r.now)
	}
	r.now = d
	return r.do(func(out *[]core.Action) { r.Tick(r.now, out) })
}

// asked is a request that was sent.
type asked struct {
	peer core.PeerID
	Message
}

// sent are the messages of a type among actions.
func sent(out []core.Action, kind frame.Type) (all []asked) {
	for _, a := range out {
		if s, ok := a.(core.Send); ok && s.Type == kind {
			m, err := Parse(kind, s.Payload)
			if err != nil {
				panic(err)
			}
			all = append(all, asked{s.Peer, m})
		}
	}
	return all
}

// only is the one request among actions.
func (r *rig) only(out []core.Action) asked {
	r.t.Helper()
	all := sent(out, TypeRequest)
	if len(all) != 1 {
		r.t.Fatalf("requests %v", all)
	}
	return all[0]
}

// askedOf lists whom the requests among actions went to.
func askedOf(out []core.Action) (peers []core.PeerID) {
	for _, q := range sent(out, TypeRequest) {
		peers = append(peers, q.peer)
	}
	return peers
}

func faults(out []core.Action) (fs []core.Offence) {
	for _, a := range out {
		if p, ok := a.(core.Penalize); ok {
			fs = append(fs, p.Offence)
		}
	}
	return fs
}

func (r *rig) faulted(out []core.Action, want ...core.Offence) {
	r.t.Helper()
	if got := faults(out); !slices.Equal(got, want) {
		r.t.Errorf("faults %v, want %v", got, want)
	}
}

func of[A core.Action](out []core.Action) (all []A) {
	for _, a := range out {
		if a, ok := a.(A); ok {
			all = append(all, a)
		}
	}
	return all
}

// exhausted is what the only Exhausted among actions lists, as "p00 found".
func (r *rig) exhausted(out []core.Action) (replies []string) {
	r.t.Helper()
	all := of[Exhausted](out)
	if len(all) != 1 {
		r.t.Fatalf("not exhausted: %v", out)
	}
	for _, reply := range all[0].Replies {
		replies = append(replies, string(reply.Peer)+" "+reply.Status.String())
	}
	return replies
}

// empty fails unless nothing is left, once all grace is over.
func (r *rig) empty() {
	r.t.Helper()
	for !r.Deadline().IsZero() {
		r.advance()
	}
	if s := r.Stats(); s.Open != 0 || s.InFlight != 0 || s.Late != 0 || s.Serving != 0 || s.Waiting != 0 {
		r.t.Errorf("left: %+v", s)
	}
	for _, p := range r.peers {
		if p.inFlight != 0 || p.coming != 0 || len(p.waiting) != 0 || p.open != [lanes]int{} || p.loading != p.open || p.queued != 0 {
			r.t.Errorf("left with %s: %+v", p.id, p)
		}
	}
}
