package simtest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/weftnet/weft/protocols/core"
	"github.com/weftnet/weft/protocols/dissemination"
	"github.com/weftnet/weft/protocols/object"
)

const objectsNetwork = "test"

// archive is many nodes that disseminate objects, and what they all have to hold in
// the end: whatever has reached the disk of one of them.
type archive struct {
	*Sim
	t       testing.TB
	net     *Network
	keepers []*keeper
	topics  []dissemination.Topic
	change  func(*dissemination.Config) // of every node; nil: nothing

	meshQueue  int           // objects that a node's mesh judges at a time
	saveDelay  time.Duration // of each write and read of a store
	judgeDelay time.Duration // of the application, where it decides

	valid   map[object.ID]dissemination.Parcel
	disk    map[object.ID]bool // whatever is on that of any node
	written int
}

// keeper is one of them. It dials the same peers again and again.
type keeper struct {
	*Node
	a       *archive
	shelf   *shelf
	mesh    *toyMesh // of this life
	dials   []*keeper
	unsaved map[object.ID][]byte
	faults  map[fault]string // that it saw, with a detail
	evil    *villain         // what it is instead of an honest node
	failed  []error          // of what was put here
}

type fault struct {
	peer    core.PeerID
	offence core.Offence
}

// classes are one topic of each class.
func classes() []dissemination.Topic {
	keep := dissemination.DefaultKeep()
	return []dissemination.Topic{
		{Name: "blocks", Class: dissemination.Gossip, Keep: keep},
		{Name: "payments", Class: dissemination.Infect, Keep: keep},
		{Name: "notes", Class: dissemination.Broadcast, Keep: keep},
	}
}

func newArchive(t testing.TB, seed uint64, cfg Config, topics ...dissemination.Topic) *archive {
	s := New(seed)
	net, err := NewNetwork(s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &archive{
		Sim: s, t: t, net: net, topics: topics, meshQueue: 1024, saveDelay: 5 * time.Millisecond,
		judgeDelay: 20 * time.Millisecond, valid: map[object.ID]dissemination.Parcel{}, disk: map[object.ID]bool{},
	}
}

// add makes a node that dials others, and is down until it is started.
func (a *archive) add(dials ...*keeper) *keeper {
	k := a.make(dials)
	a.keepers = append(a.keepers, k)
	return k
}

func (a *archive) make(dials []*keeper) *keeper {
	i := len(a.net.hosts)
	_, id := keyOf(uint64(i))
	k := &keeper{a: a, shelf: newShelf(), dials: slices.Clone(dials), faults: map[fault]string{}}
	k.Node = NewNode(a.net, NodeConfig{Host: DefaultHostConfig(id, addrOf(i, 30303)), Boot: k.boot})
	k.Watch = k.watch
	return k
}

// grow makes n nodes, each of which dials some random earlier ones, and starts them.
func (a *archive) grow(n, degree int) {
	for range n {
		var dials []*keeper
		for _, j := range a.rng.Perm(len(a.keepers))[:min(degree, len(a.keepers))] {
			dials = append(dials, a.keepers[j])
		}
		a.add(dials...)
	}
	for _, k := range a.keepers {
		k.start()
	}
}

func (k *keeper) boot(n *Node) (core.Machine, []core.Event) {
	if k.evil != nil {
		return k.evil, nil
	}
	cfg := dissemination.DefaultConfig(n.ID(), objectsNetwork)
	if k.a.change != nil {
		k.a.change(&cfg)
	}
	m, err := dissemination.New(cfg, k.a.NewRand(uint64(n.Index())<<32|n.Host.life), n.Now())
	if err != nil {
		k.a.t.Fatal(err)
	}
	k.mesh = &toyMesh{k: k, seen: map[object.ID]time.Duration{}, sent: map[object.ID]bool{}}
	k.unsaved = map[object.ID][]byte{}
	var events []core.Event
	for _, t := range k.a.topics {
		r := k.shelf.row(t.Name)
		events = append(events, core.Command{Body: dissemination.Carry{Topic: t, Log: slices.Clone(r.log), Pruned: slices.Clone(r.pruned), Last: r.last}})
	}
	return &disseminating{m, k, map[core.PeerID]bool{}}, events
}

func (k *keeper) start() {
	k.Start()
	for _, to := range k.dials {
		k.dial(to)
	}
}

func (k *keeper) dial(to *keeper) { k.Host.Dial(to.ID(), to.Host.cfg.Addrs) }

// machine is the machine of a node that is up.
func (k *keeper) machine() *dissemination.Machine { return k.Machine.(*disseminating).Machine }

// redialAfter is the pause between two dials to a peer.
const redialAfter = 5 * time.Second

func (k *keeper) redial(peer core.PeerID) {
	if i := slices.IndexFunc(k.dials, func(to *keeper) bool { return to.ID() == peer }); i >= 0 {
		k.Host.then(redialAfter, func() { k.dial(k.dials[i]) })
	}
}

// disseminating stands for what makes members of peers, and for pubsub's streams.
type disseminating struct {
	*dissemination.Machine
	k       *keeper
	members map[core.PeerID]bool
}

func (d *disseminating) Handle(now time.Time, ev core.Event, out *[]core.Effect) {
	switch e := ev.(type) {
	case core.Connected:
		d.greet(e.Peer)
		return
	case core.Disconnected:
		delete(d.members, e.Peer)
		d.k.mesh.down(e.Peer)
		d.k.redial(e.Peer)
	case core.DialFailed:
		d.k.redial(e.Peer)
	case core.Received:
		switch {
		case e.Protocol == helloProtocol:
			d.welcome(now, e.Peer, out)
			return
		case !d.members[e.Peer]:
			return
		case e.Protocol == meshProtocol:
			d.k.mesh.receive(e)
			return
		}
		ev = core.Arrived(e)
	}
	d.Machine.Handle(now, ev, out)
}

// helloProtocol stands for the handshake.
const (
	helloProtocol = "hello"
	helloWithin   = 5 * time.Second // as in handshake
)

func (d *disseminating) greet(peer core.PeerID) {
	d.k.Host.Send(core.Send{Peer: peer, Protocol: helloProtocol, Type: 1})
	d.k.Host.then(helloWithin, func() {
		if !d.members[peer] {
			d.k.Host.Close(peer)
		}
	})
}

// welcome makes a member of a peer. One that is it already has restarted, and is to
// connect again.
func (d *disseminating) welcome(now time.Time, peer core.PeerID, out *[]core.Effect) {
	if d.members[peer] {
		d.k.Host.Close(peer)
		return
	}
	d.members[peer] = true
	d.k.mesh.up(peer)
	d.Machine.Handle(now, core.Joined{Peer: peer}, out)
}

// watch does what the node and its adapters would do.
func (k *keeper) watch(e core.Effect) {
	switch e := e.(type) {
	case core.Relay:
		k.blames(core.Penalize(e.Event.(core.Misbehaved)))
	case core.Penalize:
		k.blames(e)
	case core.Perform:
		k.perform(e.Task)
	}
}

func (k *keeper) blames(p core.Penalize) { k.faults[fault{p.Peer, p.Offence}] = p.Detail }

func (k *keeper) perform(task any) {
	switch t := task.(type) {
	case dissemination.Rule:
		k.mesh.rule(t)
	case dissemination.Publish:
		k.mesh.publish(t.Topic, t.Bytes)
	case dissemination.Save:
		k.unsaved[t.ID] = t.Bytes
		k.later(k.a.saveDelay, func() { k.save(t) })
	case dissemination.Load:
		k.later(k.a.saveDelay, func() { k.load(t) })
	case dissemination.Prune:
		k.later(k.a.saveDelay, func() { k.shelf.prune(t) })
	case dissemination.SaveAnchor:
		k.later(k.a.saveDelay, func() { k.shelf.anchor(t) })
	case dissemination.Judge:
		k.later(k.a.judgeDelay, func() { k.decide(t.Parcel) })
	case dissemination.FindHolders:
		k.later(time.Second, func() { k.Command(dissemination.Holders{ID: t.ID}) }) // the DHT knows nobody
	case dissemination.Fail:
		k.failed = append(k.failed, t.Err)
	}
}

// decide stands for the application.
func (k *keeper) decide(p dissemination.Parcel) {
	verdict := dissemination.Accept
	if bytes.HasPrefix(p.Object.Payload, bad) {
		verdict = dissemination.Reject
	}
	k.Command(dissemination.Decided{ID: p.ID, Verdict: verdict})
}

// bad begins what the application rejects.
var bad = []byte("bad")

// later does something when a time has passed, at once when that is zero.
func (k *keeper) later(d time.Duration, f func()) {
	if d == 0 {
		f()
		return
	}
	k.Host.then(d, f)
}

// save puts an object on disk and checks what a reader of the log may rely on.
func (k *keeper) save(t dissemination.Save) {
	r := k.shelf.row(t.Topic)
	if t.Seq != r.last+1 {
		k.a.t.Errorf("node %d saves number %d of %s after %d", k.Index(), t.Seq, t.Topic, r.last)
	}
	if k.shelf.held[t.ID] {
		k.a.t.Errorf("node %d saves %s twice", k.Index(), t.ID)
	}
	p, known := k.a.valid[t.ID]
	if !known {
		k.a.t.Errorf("node %d saves %s, which is not valid", k.Index(), t.ID)
	}
	for _, d := range p.Object.Deps {
		if !k.shelf.held[d] {
			k.a.t.Errorf("node %d saves %s before %s, on which it depends", k.Index(), t.ID, d)
		}
	}
	k.shelf.save(t)
	k.a.disk[t.ID] = true
	delete(k.unsaved, t.ID)
	k.Command(dissemination.Saved{Bytes: len(t.Bytes)})
}

func (k *keeper) load(t dissemination.Load) {
	objects := k.shelf.load(t)
	if b := k.unsaved[t.ID]; len(objects) == 0 && b != nil {
		objects = [][]byte{b}
	}
	k.Command(dissemination.Loaded{Task: t, Objects: objects})
}

// put writes an object at a node, which depends on others.
func (k *keeper) put(topic string, size int, deps ...object.ID) dissemination.Parcel {
	p := k.a.object(topic, size, deps...)
	k.Command(dissemination.Put{Ticket: k, Parcel: p})
	return p
}

// object makes a valid one.
func (a *archive) object(topic string, size int, deps ...object.ID) dissemination.Parcel {
	a.written++
	payload := fmt.Appendf(make([]byte, 0, size), "object %d ", a.written)
	for len(payload) < size {
		payload = append(payload, byte(len(payload)))
	}
	p := a.seal(topic, payload, deps...)
	a.valid[p.ID] = p
	return p
}

// seal makes an object.
func (a *archive) seal(topic string, payload []byte, deps ...object.ID) dissemination.Parcel {
	b, err := object.Object{Network: objectsNetwork, Topic: topic, Time: a.Now(), Deps: deps, Payload: payload}.Seal(nil)
	if err != nil {
		a.t.Fatal(err)
	}
	p, err := dissemination.Inspect(objectsNetwork, object.ID{}, b)
	if err != nil {
		a.t.Fatal(err)
	}
	return p
}

// chain makes valid objects of which each depends on the one before.
func (a *archive) chain(topic string, n int) (all []dissemination.Parcel) {
	var deps []object.ID
	for range n {
		p := a.object(topic, 100, deps...)
		deps = []object.ID{p.ID}
		all = append(all, p)
	}
	return all
}

// write puts an object of a random topic that depends on up to three of the newest
// ones that the node holds, of any topic.
func (k *keeper) write(rng *rand.Rand) {
	var deps []object.ID
	for _, t := range k.a.topics {
		last := k.shelf.row(t.Name).last
		if at := uint64(rng.IntN(4)); rng.IntN(2) == 0 && at < last {
			for _, e := range k.machine().List(t.Name, last-at-1, 1) {
				deps = append(deps, e.ID)
			}
		}
	}
	k.put(k.a.topics[rng.IntN(len(k.a.topics))].Name, 50+rng.IntN(2000), deps...)
}

// writing lets random nodes that are up write, so many objects in all over a time.
func (a *archive) writing(n int, over time.Duration) {
	a.Every(over/time.Duration(n), func() bool {
		if up := a.up(); len(up) > 0 {
			up[a.rng.IntN(len(up))].write(a.rng)
		}
		n--
		return n > 0
	})
}

func (a *archive) up() []*keeper {
	return slices.DeleteFunc(slices.Clone(a.keepers), func(k *keeper) bool { return !k.Up() })
}

// lacking is how many objects the nodes that are up lack in all.
func (a *archive) lacking() (n int) {
	all := len(a.disk)
	for _, k := range a.up() {
		n += all - len(k.shelf.bytes)
	}
	return n
}

// converge waits until every node that is up holds everything.
func (a *archive) converge(within time.Duration) time.Duration {
	a.t.Helper()
	begun := a.Elapsed()
	at, ok := a.Until(func() bool { return a.lacking() == 0 }, 100*time.Millisecond, within)
	if !ok {
		a.t.Errorf("after %v the nodes lack %d objects in all, of %d each", within, a.lacking(), len(a.disk))
		a.explain()
	}
	return at - begun
}

// explain logs what the node that lacks most does.
func (a *archive) explain() {
	worst := slices.MinFunc(a.up(), func(x, y *keeper) int { return len(x.shelf.bytes) - len(y.shelf.bytes) })
	a.t.Logf("node %d holds %d, has %d peers: %+v", worst.Index(), len(worst.shelf.bytes), worst.Host.NumPeers(), worst.machine().Stats())
	shown := 0
	for id := range a.disk {
		if !worst.shelf.held[id] && shown < 3 {
			shown++
			a.t.Logf("lacks %s of %s: %+v", id, a.valid[id].Object.Topic, worst.machine().Object(worst.Now(), id))
		}
	}
}

// intact fails when a node could not put what it wrote, or blames an honest peer: all
// that are not guilty.
func (a *archive) intact(guilty ...core.PeerID) {
	a.t.Helper()
	for _, k := range a.keepers {
		if len(k.failed) > 0 {
			a.t.Errorf("node %d could not put %d objects: %v", k.Index(), len(k.failed), k.failed[0])
		}
		for f, detail := range k.faults {
			if !slices.Contains(guilty, f.peer) {
				a.t.Errorf("node %d blames %s for %s: %s", k.Index(), f.peer, f.offence, detail)
			}
		}
	}
}

// report logs the cost.
func (a *archive) report(what string, took time.Duration) {
	a.t.Helper()
	sent, objects := uint64(0), 0
	for _, t := range a.net.Traffic() {
		sent += t.Sent.Bytes
	}
	for id := range a.disk {
		objects += len(a.valid[id].Bytes)
	}
	share := ""
	for name, t := range a.net.Traffic() {
		share += fmt.Sprintf(" %s %d %%", name, 100*t.Sent.Bytes/max(sent, 1))
	}
	a.t.Logf("%s: %d nodes, %d objects of %d B: everywhere after %v; %d B sent per node, %.1f times the objects:%s",
		what, len(a.keepers), len(a.disk), objects, took, sent/uint64(len(a.keepers)), float64(sent)/float64(len(a.keepers)*max(objects, 1)), share)
}
