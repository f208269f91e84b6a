package simhost

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"google.golang.org/protobuf/proto"

	"github.com/weftnet/weft/adapters/gossipsub"
	"github.com/weftnet/weft/protocols/core"
)

// Attack is what Sybils do to the nodes of a world. Until the measured messages they
// behave, push messages at once to who wants them and announce them to the others; then
// they begin.
type Attack struct {
	Name      string
	Sybils    int
	Protocols []protocol.ID // that they announce beside pubsub's
	Victim    bool          // they connect to the first node only; one more, connected to all others, tells them what it hears
	Honest    int           // connections of that victim to honest nodes; 0: as in the world
	Dialled   bool          // their targets dial them, not they their targets
	Near      bool          // they have no last mile, so that they are faster than others
	Promise   bool          // they go on announcing what they hear, and never give it
	Offence   core.Offence  // that it can be proven to be; empty: it cannot, and nobody is banned
	First     bool          // they connect before honest nodes connect to each other

	// Every is called once each Tick for each Sybil and target, with the number of
	// the tick; nil: they are silent.
	Every func(s *Sybil, to peer.ID, tick uint64)
	Tick  time.Duration
}

// sybilProtocols let Sybils be taken for peers that speak episub.
var sybilProtocols = []protocol.ID{gossipsub.EpisubProtocol}

// Attacks are the known ones, by 40 Sybils.
func Attacks() []Attack {
	all := []Attack{
		{Name: "cold boot", First: true},
		{Name: "covert flash"},
		{Name: "eclipse", Victim: true, Near: true},
		{Name: "latency gaming", Near: true, Promise: true},
		{Name: "invalid messages", Every: invalid, Offence: core.OffenceGossipInvalid},
		{Name: "IHAVE flood", Every: ihaveFlood, Offence: core.OffenceGossipIHave},
		{Name: "IWANT flood", Every: iwantFlood, Offence: core.OffenceGossipIWant},
		{Name: "IDONTWANT flood", Every: idontwantFlood, Offence: core.OffenceGossipUnwant},
		{Name: "GRAFT flood", Every: graftFlood, Offence: core.OffenceGossipGraft},
		{Name: "huge PRUNE backoff", Every: hugePrune, Offence: core.OffenceGossipBackoff},
		{Name: "endless topics", Every: endlessTopics, Offence: core.OffenceGossipTopics},
	}
	for i := range all {
		all[i].Sybils, all[i].Tick = 40, time.Second
		all[i].Protocols = sybilProtocols
	}
	return all
}

func control(c *pb.ControlMessage) *pb.RPC { return &pb.RPC{Control: c} }

// number is 8 bytes that no other call gives.
func (s *Sybil) number(tick, i uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(s.Index)<<48|tick<<16|i)
}

// invalid sends messages with a bad signature, in its own name.
func invalid(s *Sybil, to peer.ID, tick uint64) {
	s.Send(to, &pb.RPC{Publish: []*pb.Message{{
		From: []byte(s.host.ID()), Seqno: s.number(tick, 0), Topic: proto.String(topic),
		Data: make([]byte, 1<<10), Signature: make([]byte, 64),
	}}})
}

// ihaveFlood announces 100 messages that do not exist.
func ihaveFlood(s *Sybil, to peer.ID, tick uint64) {
	ids := make([]string, 100)
	for i := range ids {
		ids[i] = string(s.host.ID()) + string(s.number(tick, uint64(i)))
	}
	s.Send(to, control(&pb.ControlMessage{Ihave: []*pb.ControlIHave{{TopicID: proto.String(topic), MessageIDs: ids}}}))
}

// iwantFlood asks for the newest message, 200 times in one RPC.
func iwantFlood(s *Sybil, to peer.ID, _ uint64) {
	m := s.Last()
	if m == nil {
		return
	}
	ids := make([]string, 200)
	for i := range ids {
		ids[i] = messageID(m)
	}
	s.Send(to, control(&pb.ControlMessage{Iwant: []*pb.ControlIWant{{MessageIDs: ids}}}))
}

// idontwantFlood refuses 5,000 messages that do not exist.
func idontwantFlood(s *Sybil, to peer.ID, tick uint64) {
	ids := make([]string, 5_000)
	for i := range ids {
		ids[i] = string(s.number(tick, uint64(i)))
	}
	s.Send(to, control(&pb.ControlMessage{Idontwant: []*pb.ControlIDontWant{{MessageIDs: ids}}}))
}

// graftFlood grafts and prunes in turns, without heed to any backoff.
func graftFlood(s *Sybil, to peer.ID, _ uint64) {
	c := new(pb.ControlMessage)
	for range 20 {
		c.Graft = append(c.Graft, &pb.ControlGraft{TopicID: proto.String(topic)})
		c.Prune = append(c.Prune, &pb.ControlPrune{TopicID: proto.String(topic), Backoff: proto.Uint64(0)})
	}
	s.Send(to, control(c))
}

// hugePrune prunes for ever, which overflows, and grafts anew.
func hugePrune(s *Sybil, to peer.ID, tick uint64) {
	backoff := uint64(math.MaxUint64) - tick%2*(1<<63)
	s.Send(to, control(&pb.ControlMessage{
		Prune: []*pb.ControlPrune{{TopicID: proto.String(topic), Backoff: &backoff}},
	}))
}

// endlessTopics subscribes to 200 new topics and grafts in them.
func endlessTopics(s *Sybil, to peer.ID, tick uint64) {
	rpc := control(new(pb.ControlMessage))
	for i := range uint64(200) {
		name := fmt.Sprintf("%x", s.number(tick, i))
		rpc.Subscriptions = append(rpc.Subscriptions, &pb.RPC_SubOpts{Subscribe: proto.Bool(true), Topicid: &name})
		rpc.Control.Graft = append(rpc.Control.Graft, &pb.ControlGraft{TopicID: &name})
	}
	s.Send(to, rpc)
}

// RunAttacked plays a strategy in a world under attack.
func RunAttacked(t *testing.T, w *World, s Strategy, a Attack) (r Result, v Verdict, err error) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		sim := newSimulation(w.withSybils(a), s)
		sim.attack = &a
		sim.judged = func() { v = sim.verdict() }
		r, err = sim.run()
	})
	return r, v, err
}

// withSybils is the world with places for Sybils after those of the nodes.
func (w *World) withSybils(a Attack) *World {
	rng, c := rand.New(rand.NewPCG(uint64(w.Config.Seed), 0x737962696c)), *w
	c.places, c.keys = slices.Clip(c.places), slices.Clip(c.keys)
	for range a.Sybils {
		p := randomPlace(rng, c.Config.LastMile)
		if a.Near {
			p.lastMile = 0
		}
		c.places, c.keys = append(c.places, p), append(c.keys, randomKey(rng))
	}
	if a.Victim {
		c.places, c.keys = append(c.places, randomPlace(rng, c.Config.LastMile)), append(c.keys, randomKey(rng))
	}
	if a.Honest > 0 {
		c.dials = isolated(c.dials, a.Honest)
	}
	return &c
}

// isolated are the dials when the first node has so many connections, each second of
// them dialled by it.
func isolated(dials [][]int, connections int) [][]int {
	all := [][]int{nil}
	for _, to := range dials[1:] {
		all = append(all, slices.DeleteFunc(slices.Clone(to), func(i int) bool { return i == 0 }))
	}
	for i := 1; i <= connections; i++ {
		if i%2 == 1 {
			all[0] = append(all[0], i)
		} else {
			all[i] = append(all[i], 0)
		}
	}
	return all
}

// invade starts the Sybils and lets them connect.
func (s *simulation) invade() error {
	for i := range s.attack.Sybils {
		sybil, err := s.newSybil(i)
		if err != nil {
			return err
		}
		s.sybils = append(s.sybils, sybil)
		for _, n := range s.targets() {
			s.tasks.Go(func() { s.meet(sybil, n) })
		}
	}
	if s.attack.Victim {
		spy, err := s.newSybil(s.attack.Sybils)
		if err != nil {
			return err
		}
		s.spy, spy.allies = spy, s.sybils
		for _, n := range s.nodes[1:] {
			s.tasks.Go(func() { s.meet(spy, n) })
		}
	}
	s.tasks.Wait()
	return s.deliver.err()
}

func (s *simulation) newSybil(i int) (*Sybil, error) {
	at := s.world.Config.Nodes + i
	h, err := s.net.newHost(s.world.keys[at], address(at), at)
	if err != nil {
		return nil, err
	}
	return newSybil(i, s.attack, h, s.over), nil
}

// meet connects a Sybil and a node.
func (s *simulation) meet(sybil *Sybil, n *node) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	if s.attack.Dialled && sybil != s.spy {
		err = n.host.Connect(ctx, peer.AddrInfo{ID: sybil.host.ID(), Addrs: sybil.host.Addrs()})
	}
	if err == nil {
		err = sybil.dial(ctx, peer.AddrInfo{ID: n.host.ID(), Addrs: n.host.Addrs()})
	}
	if err != nil {
		s.deliver.fail(err)
	}
}

// begin lets the Sybils attack until the end of the run.
func (s *simulation) begin() {
	s.begun = time.Now()
	if s.attack != nil {
		s.gained, _ = s.held()
	}
	for _, sybil := range s.sybils {
		sybil.begun.Store(true)
		if s.attack.Every != nil {
			s.tasks.Go(func() { s.molest(sybil) })
		}
	}
}

// molest sends to every target at every tick.
func (s *simulation) molest(sybil *Sybil) {
	ticker := time.NewTicker(s.attack.Tick)
	defer ticker.Stop()
	for tick := uint64(0); ; tick++ {
		select {
		case <-ticker.C:
			for _, to := range sybil.Targets() {
				s.attack.Every(sybil, to, tick)
			}
		case <-s.over:
			return
		}
	}
}
