package gossipsub

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/weftnet/weft/protocols/core"
)

// blamed counts offences, by kind.
type blamed map[core.Offence]int

func newTestFloods(t testing.TB) (*floods, blamed) {
	p := newNode(t)
	p.filter.own("ours")
	return bareFloods(p)
}

func bareFloods(p *PubSub) (*floods, blamed) {
	all := make(blamed)
	f := newFloods(p)
	f.blame = func(_ peer.ID, o core.Offence, _ string) { all[o]++ }
	f.connected = func(peer.ID) bool { return true }
	return f, all
}

func rpcOf(c *pb.ControlMessage) *pubsub.RPC { return &pubsub.RPC{RPC: pb.RPC{Control: c}} }

func testKey(id string) uint64 {
	n, _ := strconv.ParseUint(id, 10, 64)
	return n
}

func keyOfMessage(m *pubsub.Message) uint64 { return testKey(m.ID) }

// names are n message IDs, from the first on.
func names(first, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = strconv.Itoa(first + i)
	}
	return ids
}

func ihave(ids []string) *pubsub.RPC {
	return rpcOf(&pb.ControlMessage{Ihave: []*pb.ControlIHave{{TopicID: proto.String("ours"), MessageIDs: ids}}})
}

func iwant(ids []string) *pubsub.RPC {
	return rpcOf(&pb.ControlMessage{Iwant: []*pb.ControlIWant{{MessageIDs: ids}}})
}

func idontwant(ids []string) *pubsub.RPC {
	return rpcOf(&pb.ControlMessage{Idontwant: []*pb.ControlIDontWant{{MessageIDs: ids}}})
}

func graft(topic string) *pb.ControlGraft { return &pb.ControlGraft{TopicID: &topic} }

func prune(topic string, backoff uint64) *pb.ControlPrune {
	return &pb.ControlPrune{TopicID: &topic, Backoff: &backoff}
}

// TestEachFloodIsAnOffence repeats each each second, and wants nine offences, which
// ban, within a minute, and nothing else to be blamed.
func TestEachFloodIsAnOffence(t *testing.T) {
	for name, test := range map[string]struct {
		want  core.Offence
		flood func(f *floods, i int)
	}{
		"many IDs": {core.OffenceGossipIHave, func(f *floods, i int) { f.inspect("p", ihave(names(50_000*i, 50_000))) }},
		"empty promises": {core.OffenceGossipIHave, func(f *floods, i int) {
			f.inspect("p", ihave(names(500*i, 500)))
			f.sent("p", iwant(names(500*i+1, 500)), testKey)
		}},
		"refusals": {core.OffenceGossipUnwant, func(f *floods, i int) { f.inspect("p", idontwant(names(5_000*i, 5_000))) }},
		"requests": {core.OffenceGossipIWant, func(f *floods, _ int) { f.inspect("p", iwant(make([]string, 200))) }},
		"GRAFT, PRUNE": {core.OffenceGossipGraft, func(f *floods, _ int) {
			c := new(pb.ControlMessage)
			for range 10 {
				c.Graft, c.Prune = append(c.Graft, graft("ours")), append(c.Prune, prune("ours", 1))
			}
			f.inspect("p", rpcOf(c))
		}},
		"GRAFT within the back-off": {core.OffenceGossipGraft, func(f *floods, _ int) {
			f.sent("p", rpcOf(&pb.ControlMessage{Prune: []*pb.ControlPrune{prune("ours", 60)}}), testKey)
			time.Sleep(4 * time.Second)
			f.inspect("p", rpcOf(&pb.ControlMessage{Graft: []*pb.ControlGraft{graft("ours"), graft("ours"), graft("ours"), graft("ours")}}))
		}},
		"GRAFT elsewhere": {core.OffenceGossipTopics, func(f *floods, i int) {
			c := new(pb.ControlMessage)
			for j := range 500 {
				c.Graft = append(c.Graft, graft(fmt.Sprint(i, j)))
			}
			f.inspect("p", rpcOf(c))
		}},
		"topics": {core.OffenceGossipTopics, func(f *floods, i int) {
			rpc := &pubsub.RPC{}
			for j := range 500 {
				rpc.Subscriptions = append(rpc.Subscriptions, &pb.RPC_SubOpts{Subscribe: proto.Bool(true), Topicid: proto.String(fmt.Sprint(i, j))})
			}
			f.inspect("p", rpc)
		}},
		"back-off": {core.OffenceGossipBackoff, func(f *floods, _ int) {
			f.inspect("p", rpcOf(&pb.ControlMessage{Prune: []*pb.ControlPrune{prune("ours", math.MaxUint64), prune("ours", 3601)}}))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newNode(t)
			p.filter.own("ours")
			synctest.Test(t, func(t *testing.T) {
				f, blamed := bareFloods(p)
				start := time.Now()
				for i := 0; blamed[test.want] < 9 && time.Since(start) < time.Minute; i++ {
					test.flood(f, i)
					time.Sleep(time.Second)
				}
				delete(blamed, core.OffenceGossipWithheld) // true as well of empty promises
				if blamed[test.want] < 9 || len(blamed) != 1 {
					t.Errorf("after a minute: %v", blamed)
				}
				t.Logf("nine after %s", time.Since(start))
			})
		})
	}
}

// TestHonestPeersAreNotBlamed lets 250 peers say whatever an honest one may: announce
// what exists, late, again and in bursts, ask for what was announced, follow the mesh,
// lose messages.
func TestHonestPeersAreNotBlamed(t *testing.T) {
	p := newNode(t)
	p.filter.own("ours")
	rapid.Check(t, func(rt *rapid.T) {
		burst := rapid.IntRange(1, 1_000).Draw(rt, "burst")
		lost := rapid.IntRange(0, 20).Draw(rt, "lost, in percent")
		again := rapid.IntRange(1, 4).Draw(rt, "announcements")
		peers := rapid.SampledFrom([]int{1, 25, 250}).Draw(rt, "peers")
		gap := time.Duration(rapid.IntRange(1, 4_000).Draw(rt, "gap in ms")) * time.Millisecond
		synctest.Test(t, func(*testing.T) {
			f, blamed := bareFloods(p)
			hello := &pubsub.RPC{}
			for i := range 1_000 { // topics of others
				hello.Subscriptions = append(hello.Subscriptions, &pb.RPC_SubOpts{Subscribe: proto.Bool(true), Topicid: proto.String(fmt.Sprint(i))})
			}
			for i := range peers {
				f.inspect(peer.ID(fmt.Sprint(i)), hello)
			}
			for round := range 5 {
				honest(f, peers, names(round*burst, burst), lost, again)
				time.Sleep(gap)
			}
			if lost > 0 && peers == 1 {
				delete(blamed, core.OffenceGossipWithheld) // a minor one: it never bans
			}
			if len(blamed) > 0 {
				rt.Errorf("%v", blamed)
			}
		})
	})
}

// honest is one burst.
func honest(f *floods, peers int, ids []string, lost, again int) {
	for range again {
		for i := range peers {
			id := peer.ID(fmt.Sprint(i))
			f.inspect(id, ihave(ids))
			f.inspect(id, idontwant(ids))
			if part := len(ids) / peers; part > 0 {
				f.sent(id, iwant(ids[i*part:(i+1)*part]), testKey)
			}
			f.sent(id, ihave(ids), testKey)
			f.inspect(id, iwant(ids))
		}
		time.Sleep(time.Second)
	}
	for i := range peers {
		id := peer.ID(fmt.Sprint(i))
		f.inspect(id, rpcOf(&pb.ControlMessage{Graft: []*pb.ControlGraft{graft("ours")}}))
		f.sent(id, rpcOf(&pb.ControlMessage{Prune: []*pb.ControlPrune{prune("ours", 60)}}), testKey)
		f.inspect(id, rpcOf(&pb.ControlMessage{Graft: []*pb.ControlGraft{graft("ours")}, Prune: []*pb.ControlPrune{prune("ours", 60)}})) // they crossed
	}
	for i, id := range ids {
		if i%100 >= lost || peers > 1 { // among many, somebody has it
			f.came(keyOfMessage, &pubsub.Message{ID: id})
			f.fresh()
		}
	}
}

func TestAPromiseThatAnybodyKeepsIsKept(t *testing.T) {
	p := newNode(t)
	synctest.Test(t, func(t *testing.T) {
		f, blamed := bareFloods(p)
		f.sent("p", iwant(names(1, 1)), testKey)
		f.sent("q", iwant(names(2, 1)), testKey)
		time.Sleep(promiseTime - time.Second)
		f.came(keyOfMessage, &pubsub.Message{ID: "1"})
		time.Sleep(time.Second)
		f.inspect("r", ihave(nil))
		if blamed[core.OffenceGossipWithheld] != 1 || len(blamed) != 1 {
			t.Errorf("%v, want one that withheld", blamed)
		}
		f.inspect("r", ihave(nil))
		if f.promised.Load() != 0 || len(f.order) != 0 || blamed[core.OffenceGossipWithheld] != 1 {
			t.Errorf("%d promises are kept, %d in order, %v", f.promised.Load(), len(f.order), blamed)
		}
	})
}

func TestWhatIsKeptOfPeersIsBounded(t *testing.T) {
	f, _ := newTestFloods(t)
	for i := range 2 * conductKept {
		id := peer.ID(strconv.Itoa(i))
		f.sent(id, iwant(names(10*i+1, 5)), testKey)
		f.sent("one", rpcOf(&pb.ControlMessage{Prune: []*pb.ControlPrune{prune(strconv.Itoa(i), 60)}}), testKey)
	}
	if len(f.peers) > conductKept || len(f.order) > promisesKept || len(f.open) > samples*promisesKept {
		t.Errorf("%d peers, %d promises", len(f.peers), len(f.order))
	}
	for id, c := range f.peers {
		if len(c.refused) > refusalsKept {
			t.Errorf("%s: %d back-offs", id, len(c.refused))
		}
	}
}

func TestHonestTrafficAllocatesNothing(t *testing.T) {
	f, _ := newTestFloods(t)
	ids := names(0, 10)
	have, want, refused := ihave(ids), iwant(ids), idontwant(ids)
	message := &pubsub.RPC{RPC: pb.RPC{Publish: []*pb.Message{{}}}}
	f.sent("p", want, testKey)
	var n atomic.Uint64
	key := func(*pubsub.Message) uint64 { return n.Add(1) }
	m := &pubsub.Message{}
	if allocs := testing.AllocsPerRun(1_000, func() {
		f.inspect("p", message)
		f.inspect("p", have)
		f.inspect("p", refused)
		f.sent("p", have, testKey)
		f.inspect("p", want)
		f.sent("p", message, testKey)
		f.came(key, m)
		f.fresh()
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// TestFloodsOverTheNetAreBlamed sends floods from a real host.
func TestFloodsOverTheNetAreBlamed(t *testing.T) {
	for name, episub := range map[string]bool{"plain": false, "episub": true} {
		t.Run(name, func(t *testing.T) {
			told := &reports{}
			cfg := DefaultConfig()
			cfg.Report, cfg.Episub = told.add, episub
			n := newNodeWith(t, cfg)
			subscribe(t, n, "ours")
			for offence, rpc := range map[core.Offence]*pb.RPC{
				core.OffenceGossipIHave:   {Control: ihave(names(0, 25_000)).Control},
				core.OffenceGossipIWant:   {Control: iwant(names(0, 1_000)).Control},
				core.OffenceGossipUnwant:  {Control: idontwant(names(0, 10_000)).Control},
				core.OffenceGossipGraft:   {Control: &pb.ControlMessage{Graft: slices.Repeat([]*pb.ControlGraft{graft("ours")}, 100)}},
				core.OffenceGossipTopics:  {Control: &pb.ControlMessage{Graft: slices.Repeat([]*pb.ControlGraft{graft("theirs")}, 6_000)}},
				core.OffenceGossipBackoff: {Control: &pb.ControlMessage{Prune: []*pb.ControlPrune{prune("ours", math.MaxUint64)}}},
			} {
				a := attack(t, n)
				a.send(rpc)
				eventually(t, string(offence), func() bool { return told.offences(a.ID(), offence) > 0 })
				if all := told.of(a.ID()); len(all) != 1 {
					t.Errorf("blamed for %v, want %s", all, offence)
				}
			}
		})
	}
}

// TestABurstOfOurOwnKindIsNoOffence lets real nodes spread a thousand messages at once.
func TestABurstOfOurOwnKindIsNoOffence(t *testing.T) {
	const nodes, messages = 4, 1_000
	for name, episub := range map[string]bool{"plain": false, "episub": true} {
		t.Run(name, func(t *testing.T) {
			told := &reports{}
			cfg := DefaultConfig()
			cfg.Report, cfg.Episub = told.add, episub
			var all []*PubSub
			var subs []*Subscription
			for range nodes {
				p := newNodeWith(t, cfg)
				for _, q := range all {
					connect(t, p.host, q.host)
				}
				all, subs = append(all, p), append(subs, subscribe(t, p, "ours"))
			}
			eventually(t, "all know each other", func() bool {
				return !slices.ContainsFunc(all, func(p *PubSub) bool { return len(p.ps.ListPeers("ours")) < nodes-1 })
			})
			for i := range messages {
				publish(t, all[i%nodes], "ours", strconv.Itoa(i))
			}
			for _, s := range subs {
				got := 0
				for ; got < messages*95/100; got++ { // a raw topic promises no more under load
					if _, err := s.Next(soon(t)); err != nil {
						t.Fatalf("%d messages: %v", got, err)
					}
				}
			}
			for _, p := range all {
				if of := told.of(p.host.ID()); len(of) > 0 {
					t.Errorf("an honest node is blamed: %v", of)
				}
			}
		})
	}
}

// of are the offences of a peer, each once.
func (r *reports) of(id peer.ID) (all []core.Offence) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ev := range r.events {
		if m, ok := ev.(core.Misbehaved); ok && m.Peer == id && !slices.Contains(all, m.Offence) {
			all = append(all, m.Offence)
		}
	}
	return all
}
