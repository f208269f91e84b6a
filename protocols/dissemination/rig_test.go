package dissemination

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/fetch"
	"github.com/weftnet/weft/protocols/object"
)

const (
	network = "testnet"
	alice   = core.PeerID("alice")
	bob     = core.PeerID("bob")
	carol   = core.PeerID("carol")
)

var epoch = time.Unix(1_700_000_000, 0)

// rig is one machine, what it asked for, and what it was answered at once: checks are
// made, objects are saved.
type rig struct {
	*Machine
	t     testing.TB
	clock time.Time
	out   []core.Effect
	done  int // of out: served
	saved map[object.ID]Save
	order []object.ID

	holders []core.PeerID // whom the DHT names
}

func newRig(t testing.TB, topics ...Topic) *rig {
	t.Helper()
	return newRigWith(t, func(*Config) {}, topics...)
}

func newRigWith(t testing.TB, change func(*Config), topics ...Topic) *rig {
	t.Helper()
	cfg := DefaultConfig("self", network)
	change(&cfg)
	m, err := New(cfg, rand.New(rand.NewPCG(1, 2)), epoch)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{Machine: m, t: t, clock: epoch, saved: map[object.ID]Save{}}
	for _, topic := range topics {
		r.tell(Carry{Topic: topic})
	}
	return r
}

func blocks(change ...func(*Topic)) Topic {
	t := Topic{Name: "blocks", Keep: DefaultKeep()}
	for _, f := range change {
		f(&t)
	}
	return t
}

func (r *rig) do(ev core.Event) {
	r.Handle(r.clock, ev, &r.out)
	r.serve()
}

func (r *rig) tell(body any) { r.do(core.Command{Body: body}) }

// serve answers what needs nobody else.
func (r *rig) serve() {
	for ; r.done < len(r.out); r.done++ {
		switch e := r.out[r.done].(type) {
		case core.Verify:
			r.Handle(r.clock, core.Verified{Peer: e.Peer, Answer: e.Check()}, &r.out)
		case core.Perform:
			r.perform(e.Task)
		}
	}
}

func (r *rig) perform(task any) {
	switch t := task.(type) {
	case Save:
		r.saved[t.ID] = t
		r.order = append(r.order, t.ID)
		r.Handle(r.clock, core.Command{Body: Saved{Bytes: len(t.Bytes)}}, &r.out)
	case FindHolders:
		r.Handle(r.clock, core.Command{Body: Holders{ID: t.ID, Peers: r.holders}}, &r.out)
	}
}

// forgetAll forgets what was asked for.
func (r *rig) forgetAll() { r.out, r.done = nil, 0 }

// pass lets time pass, with a tick whenever one is due.
func (r *rig) pass(d time.Duration) {
	for end := r.clock.Add(d); ; {
		at := r.Deadline()
		if at.IsZero() || at.After(end) {
			r.clock = end
			return
		}
		if at.After(r.clock) {
			r.clock = at
		}
		r.Tick(r.clock, &r.out)
		r.serve()
	}
}

// asked returns the tasks of one kind that were asked for, and forgets all.
func asked[T any](r *rig) (tasks []T) {
	for _, e := range r.out {
		if p, ok := e.(core.Perform); ok {
			if t, ok := p.Task.(T); ok {
				tasks = append(tasks, t)
			}
		}
	}
	r.forgetAll()
	return tasks
}

// blamed are the offences of peers since the last call, as "peer offence".
func (r *rig) blamed() (all []string) {
	for _, e := range r.out {
		if relay, ok := e.(core.Relay); ok {
			b := relay.Event.(core.Misbehaved)
			all = append(all, string(b.Peer)+" "+string(b.Offence))
		}
	}
	r.forgetAll()
	return all
}

// requests are the objects that were asked of a peer since the last call.
func (r *rig) requests(of core.PeerID) (all []fetch.Message) {
	for _, e := range r.out {
		if s, ok := e.(core.Send); ok && s.Peer == of && s.Protocol == fetch.Protocol && s.Type == fetch.TypeRequest {
			m, err := fetch.Parse(s.Type, s.Payload)
			if err != nil {
				r.t.Fatal(err)
			}
			all = append(all, m)
		}
	}
	r.forgetAll()
	return all
}

func (r *rig) wantSaved(want ...Parcel) {
	r.t.Helper()
	ids := make([]object.ID, len(want))
	for i, p := range want {
		ids[i] = p.ID
	}
	if !slices.Equal(r.order, ids) {
		r.t.Fatalf("saved %v, want %v", r.order, ids)
	}
	for i, id := range ids {
		if s := r.saved[id]; s.Seq != uint64(i+1) || !slices.Equal(s.Bytes, want[i].Bytes) {
			r.t.Errorf("%s was saved as number %d", id, s.Seq)
		}
	}
}

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// newParcel makes an object of a topic.
func newParcel(t testing.TB, topic, payload string, author ed25519.PrivateKey, deps ...Parcel) Parcel {
	t.Helper()
	o := object.Object{Network: network, Topic: topic, Time: epoch, Payload: []byte(payload)}
	for _, d := range deps {
		o.Deps = append(o.Deps, d.ID)
	}
	encoded, err := o.Seal(author)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Inspect(network, object.ID{}, encoded)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func block(t testing.TB, payload string, deps ...Parcel) Parcel {
	t.Helper()
	return newParcel(t, "blocks", payload, nil, deps...)
}

// chain is so many blocks, each of which depends on the one before.
func chain(t testing.TB, n int) (all []Parcel) {
	t.Helper()
	for i := range n {
		all = append(all, block(t, fmt.Sprint("block ", i), all[max(0, i-1):i]...))
	}
	return all
}

// offers sends an object along the mesh and returns what the machine ruled at once.
func (r *rig) offers(from core.PeerID, p Parcel) Verdict {
	r.t.Helper()
	ticket := new(int)
	before := len(r.out)
	r.tell(Offered{Ticket: ticket, Peer: from, Topic: p.Object.Topic, Parcel: p})
	for _, e := range r.out[before:] {
		if task, ok := e.(core.Perform); ok {
			if rule, ok := task.Task.(Rule); ok && rule.Ticket == ticket {
				return rule.Verdict
			}
		}
	}
	return 0
}

// answers gives what a peer was asked for last.
func (r *rig) answers(from core.PeerID, request fetch.Message, status fetch.Status, p Parcel) {
	r.t.Helper()
	m := fetch.Message{Request: request.Request, ID: request.ID, Status: status}
	if status == fetch.StatusFound {
		m.Object = p.Bytes
	}
	r.do(core.Arrived{Peer: from, Protocol: fetch.Protocol, Type: fetch.TypeAnswer, Payload: m.Append(fetch.TypeAnswer, nil)})
}

// asks has a peer ask for an object; what was said before is forgotten.
func (r *rig) asks(from core.PeerID, id object.ID) {
	r.forgetAll()
	request := fetch.Message{Request: uint64(r.clock.Unix()), ID: id}
	r.do(core.Arrived{Peer: from, Protocol: fetch.Protocol, Type: fetch.TypeRequest, Payload: request.Append(fetch.TypeRequest, nil)})
}
