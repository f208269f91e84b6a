package simtest

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/broadcast"
	"github.com/weftnet/weft/protocols/catchup"
	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/dissemination"
	"github.com/weftnet/weft/protocols/fetch"
	"github.com/weftnet/weft/protocols/frame"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/object"
)

// villain is a node that does harm. It says that it carries every topic.
type villain struct {
	k      *keeper
	peers  []core.PeerID
	out    *[]core.Effect
	next   time.Time
	rounds int

	each     func(v *villain, peer core.PeerID)                      // every second, to each peer
	asked    func(v *villain, peer core.PeerID, m fetch.Message)     // for an object; nil: silence
	listing  func(v *villain, peer core.PeerID, q catchup.GetRecent) // what it holds; nil: silence
	honestly bool                                                    // nobody can blame it
}

// corrupt adds a villain that honest nodes dial.
func (a *archive) corrupt(v *villain, victims ...*keeper) *keeper {
	v.k = a.make(victims)
	v.k.evil = v
	for _, k := range victims {
		k.dials = append(k.dials, v.k)
	}
	return v.k
}

func (v *villain) Handle(now time.Time, ev core.Event, out *[]core.Effect) {
	v.out = out
	switch e := ev.(type) {
	case core.Connected:
		v.peers = append(v.peers, e.Peer)
		v.next = now.Add(time.Second)
		v.send(e.Peer, helloProtocol, 1, nil)
		var told catchup.Topics
		for _, t := range v.k.a.topics {
			told.Names = append(told.Names, t.Name)
		}
		v.send(e.Peer, catchup.Protocol, catchup.TypeTopics, told.Append(nil))
	case core.Disconnected:
		v.peers = slices.DeleteFunc(v.peers, func(p core.PeerID) bool { return p == e.Peer })
	case core.Received:
		v.receive(e)
	}
}

func (v *villain) receive(e core.Received) {
	switch {
	case e.Protocol == fetch.Protocol && e.Type == fetch.TypeRequest && v.asked != nil:
		if m, err := fetch.Parse(e.Type, e.Payload); err == nil {
			v.asked(v, e.Peer, m)
		}
	case e.Protocol == catchup.Protocol && e.Type == catchup.TypeGetRecent && v.listing != nil:
		if q, err := catchup.ParseGetRecent(e.Payload); err == nil {
			v.listing(v, e.Peer, q)
		}
	}
}

func (v *villain) Tick(now time.Time, out *[]core.Effect) {
	v.out, v.next = out, now.Add(time.Second)
	v.rounds++
	for _, p := range v.peers {
		if v.each != nil {
			v.each(v, p)
		}
	}
}

func (v *villain) Deadline() time.Time { return v.next }

func (v *villain) send(to core.PeerID, protocol string, kind frame.Type, payload []byte) {
	*v.out = append(*v.out, core.Send{Peer: to, Protocol: protocol, Type: kind, Payload: payload})
}

// push sends an object in the way of its topic.
func (v *villain) push(to core.PeerID, topic string, encoded []byte) {
	at := slices.IndexFunc(v.k.a.topics, func(t dissemination.Topic) bool { return t.Name == topic })
	switch v.k.a.topics[at].Class {
	case dissemination.Gossip:
		v.send(to, meshProtocol, v.k.a.number(topic), encoded)
	case dissemination.Infect:
		v.send(to, infect.ObjectsProtocol, infect.TypePush, infect.Message{Item: encoded}.Append(infect.TypePush, nil))
	case dissemination.Broadcast:
		v.send(to, broadcast.Protocol, broadcast.TypeObject, encoded)
	}
}

func (v *villain) answer(to core.PeerID, m fetch.Message, encoded []byte) {
	a := fetch.Message{Request: m.Request, ID: m.ID, Status: fetch.StatusNotFound, Object: encoded}
	if encoded != nil {
		a.Status = fetch.StatusFound
	}
	v.send(to, fetch.Protocol, fetch.TypeAnswer, a.Append(fetch.TypeAnswer, nil))
}

// list says that it holds what is on somebody's disk, and things that do not exist.
func (v *villain) list(to core.PeerID, q catchup.GetRecent) {
	r := catchup.Recent{Request: q.Request}
	for id := range v.k.a.disk {
		if len(r.IDs) < catchup.MaxIDs/2 {
			r.IDs = append(r.IDs, id)
		}
	}
	slices.SortFunc(r.IDs, func(a, b object.ID) int { return slices.Compare(a[:], b[:]) })
	for i := range 50 {
		r.IDs = append(r.IDs, nothing(v, i))
	}
	v.send(to, catchup.Protocol, catchup.TypeRecent, r.Append(nil))
}

// nothing is an ID of which there is no object.
func nothing(v *villain, i int) object.ID {
	return object.IDOf(fmt.Appendf(nil, "nothing %d %d %d", v.k.Index(), v.rounds, i))
}

func notFound(v *villain, peer core.PeerID, m fetch.Message) { v.answer(peer, m, nil) }

// invalid are objects with a forged signature, and what depends on them.
func (a *archive) invalid() *villain {
	own := map[object.ID][]byte{}
	return &villain{
		each: func(v *villain, peer core.PeerID) {
			o := object.Object{Network: objectsNetwork, Topic: "notes", Time: a.Now(), Payload: fmt.Append(nil, v.rounds)}
			b, _ := o.Seal(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
			b[len(b)-1] ^= 1
			own[object.IDOf(b)] = b
			v.push(peer, "notes", b)
			v.push(peer, "payments", []byte("noise"))
			v.push(peer, "blocks", a.seal("blocks", fmt.Append(nil, v.rounds), object.IDOf(b)).Bytes)
		},
		asked: func(v *villain, peer core.PeerID, m fetch.Message) { v.answer(peer, m, own[m.ID]) },
	}
}

// rejected are objects that the application rejects, sent after what depends on them.
func (a *archive) rejected() *villain {
	own := map[object.ID][]byte{}
	return &villain{
		each: func(v *villain, peer core.PeerID) {
			p := a.seal("ledger", fmt.Append(bad, v.rounds))
			own[p.ID] = p.Bytes
			v.push(peer, "ledger", a.seal("ledger", fmt.Append(nil, v.rounds), p.ID).Bytes)
		},
		asked: func(v *villain, peer core.PeerID, m fetch.Message) { v.answer(peer, m, own[m.ID]) },
	}
}

// orphans depend on what does not exist.
func (a *archive) orphans() *villain {
	return &villain{asked: notFound, each: func(v *villain, peer core.PeerID) {
		for i, topic := range []string{"blocks", "payments", "notes"} {
			v.push(peer, topic, a.seal(topic, []byte("orphan"), nothing(v, i)).Bytes)
		}
	}}
}

// endless is a chain that never ends, as far as anybody sees.
func (a *archive) endless(length int) *villain {
	chain := map[object.ID][]byte{}
	last := object.IDOf([]byte("the beginning"))
	for i := range length {
		p := a.seal("blocks", fmt.Append(nil, i), last)
		last = p.ID
		chain[last] = p.Bytes
	}
	return &villain{
		each:  func(v *villain, peer core.PeerID) { v.push(peer, "blocks", chain[last]) },
		asked: func(v *villain, peer core.PeerID, m fetch.Message) { v.answer(peer, m, chain[m.ID]) },
	}
}

// liar gives other bytes than those asked for.
func (a *archive) liar() *villain {
	other := a.seal("blocks", []byte("something else")).Bytes
	return &villain{
		listing: (*villain).list,
		asked:   func(v *villain, peer core.PeerID, m fetch.Message) { v.answer(peer, m, other) },
	}
}

// stalling holders list everything and give nothing.
func (a *archive) stalling() *villain { return &villain{listing: (*villain).list, honestly: true} }

// Honest nodes converge while each of them has three peers that do harm, blame all who can be blamed,
// and nobody else.
func TestHonestNodesConvergeAmongAttackers(t *testing.T) {
	keep := dissemination.DefaultKeep()
	a := newArchive(t, 1, rough(), append(classes(), dissemination.Topic{Name: "ledger", Judged: true, Keep: keep})...)
	const levels = 20 // as many as can be fetched in the time, one after the other
	a.change = func(c *dissemination.Config) { c.Pending.MaxDepth = levels }
	a.grow(sized(18, 1000), 4)
	honest := a.keepers
	villains := []*villain{a.invalid(), a.rejected(), a.orphans(), a.endless(2 * levels), a.liar(), a.stalling()}
	var guilty []core.PeerID
	for _, v := range villains {
		var victims []*keeper
		for _, i := range a.rng.Perm(len(honest))[:len(honest)/2] {
			victims = append(victims, honest[i])
		}
		k := a.corrupt(v, victims...)
		k.Host.cfg.Places = len(honest)
		guilty = append(guilty, k.ID())
		k.start()
		for _, to := range victims {
			to.dial(k)
		}
	}
	a.Run(5 * time.Second)
	writing := time.Duration(sized(1, 3)) * time.Minute
	a.writing(sized(100, 300), writing)
	a.Run(writing + time.Minute)
	a.report("attacked", a.converge(soon))
	a.intact(guilty...)
	for i, v := range villains {
		seen := map[core.Offence]int{}
		for _, k := range a.keepers {
			for f := range k.faults {
				if f.peer == guilty[i] {
					seen[f.offence]++
				}
			}
		}
		t.Logf("attacker %d was blamed for %v", i, seen)
		if (len(seen) == 0) != v.honestly {
			t.Errorf("attacker %d was blamed for %v", i, seen)
		}
	}
}
