package simhost

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// topic is what all nodes are in.
const topic = "simulation"

// patience is how long connecting and publishing may take, in virtual time.
const patience = time.Minute

// Run plays a strategy in a world.
func Run(t *testing.T, w *World, s Strategy) (r Result, err error) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { r, err = newSimulation(w, s).run() })
	return r, err
}

// simulation is one run. Its goroutine is the only one that starts and ends nodes.
type simulation struct {
	world    *World
	strategy Strategy
	net      *simnetwork
	nodes    []*node
	ids      []peer.ID
	meter    meter
	deliver  *collector
	ends     sync.WaitGroup // nodes that are vanishing
	tasks    sync.WaitGroup // publishing, dialling and attacks under way
	attack   *Attack        // nil: none
	sybils   []*Sybil
	spy      *Sybil        // nil: none
	begun    time.Time     // the attack
	gained   float64       // share of the eager places that the Sybils held then
	judged   func()        // called at the end, while all run; nil: not
	over     chan struct{} // closed when the plan is done, by finish
	finish   func()

	base   counters // when measuring began
	joined Traffic  // until the first message
}

// counters are what is counted during the measured messages only.
type counters struct {
	traffic    Traffic
	wire, lost uint64
	cpu        time.Duration
}

// node is one host with its stack; nil fields while it is away.
type node struct {
	host  *simHost
	stack Stack
	since time.Time
}

func newSimulation(w *World, strategy Strategy) *simulation {
	s := &simulation{world: w, strategy: strategy, net: newNetwork(w), nodes: make([]*node, w.Config.Nodes), ids: w.ids(), deliver: newCollector(w), over: make(chan struct{})}
	s.finish = sync.OnceFunc(func() { close(s.over) })
	s.meter.origins = newOrigins(func(a, b peer.ID) time.Duration { return w.delay(slices.Index(s.ids, a), slices.Index(s.ids, b)) })
	return s
}

func (s *simulation) run() (Result, error) {
	s.net.net.Start()
	defer s.net.net.Close()
	defer s.close()
	if err := s.connect(); err != nil {
		return Result{}, err
	}
	time.Sleep(s.world.Config.Settle)
	s.joined = s.meter.read()
	s.play()
	s.finish()
	s.tasks.Wait()
	if err := s.deliver.err(); err != nil {
		return Result{}, err
	}
	if s.judged != nil {
		s.judged()
	}
	return s.result(), nil
}

// connect starts all nodes within a heartbeat, so that theirs are not at the same
// time, and lets them dial.
func (s *simulation) connect() error {
	for i := range s.nodes {
		time.Sleep(time.Second / time.Duration(len(s.nodes)))
		if err := s.start(i); err != nil {
			return err
		}
	}
	if s.attack != nil && s.attack.First {
		if err := s.invade(); err != nil {
			return err
		}
		time.Sleep(s.world.Config.Settle)
	}
	s.dial(s.world.links(func(link) bool { return true }))
	s.tasks.Wait()
	if s.attack != nil && !s.attack.First {
		if err := s.invade(); err != nil {
			return err
		}
	}
	return s.deliver.err()
}

// start starts a node at its address, with its key.
func (s *simulation) start(i int) error {
	s.deliver.started(i)
	h, err := s.net.newHost(s.world.keys[i], address(i), i)
	if err != nil {
		return err
	}
	s.nodes[i] = &node{host: h, since: time.Now()}
	s.nodes[i].stack, err = s.strategy.New(meteredHost{h, &s.meter}, s.world.Config.Seed<<32+int64(i))
	if err != nil {
		return fmt.Errorf("start %s on node %d: %w", s.strategy.Name, i, err)
	}
	return s.nodes[i].stack.Join(topic, func(data []byte, at time.Time) { s.deliver.deliver(i, data, at) })
}

// link is a connection that one node opens to another.
type link struct{ from, to int }

// dial opens connections, but for those of a node that is away: its peers do not
// wait for it.
func (s *simulation) dial(links []link) {
	for _, l := range links {
		from, to := s.nodes[l.from], s.nodes[l.to]
		if from != nil && to != nil {
			info := peer.AddrInfo{ID: to.host.ID(), Addrs: to.host.Addrs()}
			s.tasks.Go(func() { s.dialOne(from.host, l, info, to.since) })
		}
	}
}

// dialOne opens a connection to a node that has been up since a time. One to its former
// self has to end first, and does when the new one is sent a packet of it.
func (s *simulation) dialOne(from host.Host, l link, to peer.AddrInfo, since time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for stale(from, to.ID, since) {
		time.Sleep(100 * time.Millisecond)
	}
	if err := from.Connect(ctx, to); err != nil && s.world.Config.Churn == 0 {
		s.deliver.fail(fmt.Errorf("node %d dials node %d: %w", l.from, l.to, err))
	}
}

// stale says whether all connections to a peer were opened before a time.
func stale(h host.Host, id peer.ID, since time.Time) bool {
	all := h.Network().ConnsToPeer(id)
	return len(all) > 0 && !slices.ContainsFunc(all, func(c network.Conn) bool { return c.Stat().Opened.After(since) })
}

// play does what the plan says, when it says it.
func (s *simulation) play() {
	start := time.Now()
	for _, a := range s.world.plan {
		time.Sleep(time.Until(start.Add(a.at)))
		switch a.kind {
		case publish:
			s.publish(a.node, a.message)
		case vanish:
			s.vanish(a.node)
		case comeBack:
			s.comeBack(a.node)
		case measure:
			s.base = s.count()
			s.begin()
		}
	}
	time.Sleep(time.Until(start.Add(s.world.end)))
}

func (s *simulation) publish(i, message int) {
	data, stack := s.deliver.message(message), s.nodes[i].stack
	s.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := stack.Publish(ctx, topic, data); err != nil {
			s.deliver.fail(fmt.Errorf("node %d publishes: %w", i, err))
		}
	})
}

// vanish ends a node without a word to its peers.
func (s *simulation) vanish(i int) {
	n := s.nodes[i]
	s.nodes[i] = nil
	n.host.vanish()
	s.ends.Go(n.close)
}

// comeBack restarts a node. It dials its peers anew, and those that had dialled
// it dial it again, as nodes that keep their peers do.
func (s *simulation) comeBack(i int) {
	if err := s.start(i); err != nil {
		s.deliver.fail(err)
		return
	}
	s.dial(s.world.links(func(l link) bool { return l.from == i || l.to == i }))
}

func (n *node) close() {
	if n.stack != nil {
		_ = n.stack.Close()
	}
	_ = n.host.Close()
}

func (s *simulation) close() {
	s.finish()
	for _, n := range s.nodes {
		if n != nil {
			s.ends.Go(n.close)
		}
	}
	for _, sybil := range s.sybils {
		s.ends.Go(func() { _ = sybil.host.Close() })
	}
	if s.spy != nil {
		s.ends.Go(func() { _ = s.spy.host.Close() })
	}
	s.ends.Wait()
}

func (s *simulation) count() counters {
	return counters{traffic: s.meter.read(), wire: s.net.wire.bytes.Load(), lost: s.net.wire.lost.Load(), cpu: cpuTime()}
}
