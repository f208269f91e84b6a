package node_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/ipfs/go-cid"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/multiformats/go-multihash"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/node"
	"github.com/weftnet/weft/protocols/fetch"
	"github.com/weftnet/weft/protocols/infect"
	"github.com/weftnet/weft/protocols/object"
)

// depsAt is where the count of dependencies stands in a vote.
func depsAt() int {
	return 1 + 1 + 2 + 8 + 1 + len(node.DefaultConfig().Network) + 2 + len("votes")
}

// withDeps makes room for raw dependencies, whatever their number.
func withDeps(encoded []byte, count int, raw []byte) []byte {
	at := depsAt()
	out := binary.BigEndian.AppendUint16(slices.Clone(encoded[:at]), uint16(count))
	return slices.Concat(out, raw, encoded[at+2:])
}

// impossible are objects that Seal would never make, and what is said of each.
func impossible(t testing.TB) map[string]struct {
	encoded []byte
	why     string
} {
	first, second := object.IDOf([]byte("1")), object.IDOf([]byte("2"))
	whole, cidV0 := first.CID().Bytes(), slices.Concat([]byte{0x12, 32}, first[:]) // the wire has the hash alone
	plain := vote(t, "x")
	return map[string]struct {
		encoded []byte
		why     string
	}{
		"a forged signature":       {forgedVote(t, "x"), "signature is not its author's"},
		"1,025 dependencies":       {withDeps(plain, object.MaxDeps+1, make([]byte, 32*(object.MaxDeps+1))), "it has 1025 dependencies"},
		"a dependency twice":       {withDeps(plain, 2, slices.Concat(first[:], first[:])), "name each dependency once"},
		"too few dependencies":     {withDeps(plain, 3, slices.Concat(first[:], second[:])), "it ends in its dependencies"},
		"a CID as a dependency":    {withDeps(plain, 1, whole), "not the encoding of an object"},
		"a CIDv0 as a dependency":  {withDeps(plain, 1, cidV0), "not the encoding of an object"},
		"the flag of a later form": {slices.Concat([]byte{1, 2}, plain[2:]), "its flags are 0x2"},
	}
}

func TestObjectsThatCannotBeMadeBanWhoSendsThem(t *testing.T) {
	for name, c := range impossible(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := start(t, carrying("votes", class("broadcast")))
			bad, good := newForger(t, n, nil), newForger(t, n, nil)
			bad.broadcasts(c.encoded)
			if e := awaitOffence(t, n, bad.host.ID(), "object.invalid"); !strings.Contains(e.Text, c.why) {
				t.Errorf("told %q, want %q", e.Text, c.why)
			}
			awaitEvent(t, n.EventsAfter(0), "peer.banned", bad.host.ID())
			good.broadcasts(vote(t, "good"))
			if d := delivered(t, reads(t, n, "votes", 0)); string(d.Payload) != "good" {
				t.Errorf("delivered %q", d.Payload)
			}
			blameless(t, n, good.rawPeer)
		})
	}
}

// By whatever way it comes: a forged object bans its sender, and is neither delivered
// nor passed on.
func TestAForgedObjectBansItsSenderByEveryWay(t *testing.T) {
	for name, c := range map[string]struct {
		class string
		send  func(t *testing.T, f *forger, encoded []byte)
	}{
		"broadcast": {"broadcast", func(_ *testing.T, f *forger, b []byte) { f.broadcasts(b) }},
		"mesh": {"gossip", func(t *testing.T, f *forger, b []byte) {
			publishPlainly(t, f.rawPeer, b, pubsub.WithMessageSignaturePolicy(pubsub.LaxNoSign))
		}},
		"infection, pushed": {"infect", func(_ *testing.T, f *forger, b []byte) {
			f.says(infect.ObjectsProtocol, infect.TypePush, infect.Message{Item: b}.Append(infect.TypePush, nil))
		}},
		"infection, announced": {"infect", func(_ *testing.T, f *forger, b []byte) {
			id := infect.ID(object.IDOf(b))
			f.says(infect.ObjectsProtocol, infect.TypeAnnounce, infect.Message{ID: id}.Append(infect.TypeAnnounce, nil))
			f.await(infect.ObjectsProtocol, infect.TypeGet)
			f.says(infect.ObjectsProtocol, infect.TypeItem, infect.Message{ID: id, Item: b}.Append(infect.TypeItem, nil))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := start(t, carrying("votes", class(c.class)))
			honest := start(t, carrying("votes", class(c.class)), joining(n))
			awaitCarriers(t, n, "votes", 1)
			bad := newForger(t, n, nil)
			bad.hears(infect.ObjectsProtocol)
			forged := forgedVote(t, "forged")
			c.send(t, bad, forged)
			awaitEvent(t, n.EventsAfter(0), "peer.banned", bad.host.ID())
			id := put(t, n, "votes", "good")
			if d := delivered(t, reads(t, honest, "votes", 0)); d.ID != id {
				t.Errorf("delivered %q", d.Payload)
			}
			awaitState(t, n, object.IDOf(forged), "invalid")
			awaitState(t, honest, object.IDOf(forged), "unknown")
		})
	}
}

// publishPlainly publishes to the topic votes by go-libp2p-pubsub.
func publishPlainly(t *testing.T, r *rawPeer, data []byte, opts ...pubsub.Option) {
	t.Helper()
	ps, err := pubsub.NewGossipSub(t.Context(), r.host, append(opts, pubsub.WithFloodPublish(true))...)
	if err != nil {
		t.Fatal(err)
	}
	topic, err := ps.Join("votes")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the node in the topic", func() bool { return len(topic.ListPeers()) == 1 })
	if err := topic.Publish(soon(t), data); err != nil {
		t.Fatal(err)
	}
}

// A plain peer with default settings may bring an object to its topic. What is none
// bans it.
func TestAPlainPeerOnAnObjectTopicIsJudgedAsAnybody(t *testing.T) {
	n := start(t, carrying("votes"))
	good, bad := newPlainPeer(t), newPlainPeer(t)
	good.connect(n)
	bad.connect(n)
	publishPlainly(t, good, vote(t, "good"))
	if d := delivered(t, reads(t, n, "votes", 0)); string(d.Payload) != "good" {
		t.Errorf("delivered %q", d.Payload)
	}
	publishPlainly(t, bad, []byte("no object"))
	awaitEvent(t, n.EventsAfter(0), "peer.banned", bad.host.ID())
	if !slices.ContainsFunc(n.Peers(), func(p node.Peer) bool { return p.ID == good.host.ID() }) {
		t.Error("the other is gone, too")
	}
}

// Bytes that are not those of the name that was asked for are their sender's fault.
// Another holder is asked, and nothing is lost.
func TestWrongBytesForANameAreTheirSendersFault(t *testing.T) {
	n := start(t, carrying("votes", class("broadcast")))
	wanted := vote(t, "wanted")
	other := vote(t, "other")
	bad := newForger(t, n, func(fetch.Message) fetch.Message { return fetch.Message{Status: fetch.StatusFound, Object: other} })
	good := newForger(t, n, gives(wanted))
	awaitCarriers(t, n, "votes", 2)
	bad.broadcasts(vote(t, "dependant", object.IDOf(wanted)))
	awaitOffence(t, n, bad.host.ID(), string(fetch.OffenceWrong))
	s := reads(t, n, "votes", 0)
	for _, want := range []string{"wanted", "dependant"} {
		if d := delivered(t, s); string(d.Payload) != want {
			t.Errorf("delivered %q, want %q", d.Payload, want)
		}
	}
	blameless(t, n, good.rawPeer)
	if !member(t, n, bad.host.ID()) {
		t.Error("one wrong answer banned: it is graded")
	}
}

// What depends on an invalid object falls with it, over several levels, and all who
// sent it are named; who sent something else is not.
func TestDependantsOfAnInvalidObjectFallAndTheirSendersAreNamed(t *testing.T) {
	counts := newCounts()
	n := start(t, carrying("votes", class("broadcast")), counts.registry)
	forged := forgedVote(t, "forged")
	first := vote(t, "first", object.IDOf(forged))
	second := vote(t, "second", object.IDOf(first))
	release := make(chan struct{})
	give := gives(forged)
	forger1 := newForger(t, n, func(m fetch.Message) fetch.Message { <-release; return give(m) })
	forger2, forger3, good := newForger(t, n, nil), newForger(t, n, nil), newForger(t, n, nil)
	forger1.broadcasts(first)
	awaitState(t, n, object.IDOf(first), "paused")
	forger2.broadcasts(first) // the same object again
	forger3.broadcasts(second)
	eventually(t, "all three to wait", func() bool { return counts.read(t, "weft_objects_paused_total") == 3 })
	good.broadcasts(vote(t, "good"))
	if d := delivered(t, reads(t, n, "votes", 0)); string(d.Payload) != "good" {
		t.Errorf("delivered %q", d.Payload)
	}
	close(release)
	awaitEvent(t, n.EventsAfter(0), "peer.banned", forger1.host.ID())
	for _, f := range []*forger{forger2, forger3} {
		awaitOffence(t, n, f.host.ID(), "object.dependant")
	}
	for _, b := range [][]byte{forged, first, second} {
		awaitState(t, n, object.IDOf(b), "invalid")
	}
	blameless(t, n, good.rawPeer)
}

// Who sends an object and has not what it depends on is blamed a little, and only
// where it says so itself.
func TestWhoLacksWhatItsObjectsDependOn(t *testing.T) {
	for status, blamed := range map[fetch.Status]bool{
		fetch.StatusNotFound: true, fetch.StatusPruned: false, fetch.StatusRefused: false,
	} {
		t.Run(status.String(), func(t *testing.T) {
			t.Parallel()
			counts := newCounts()
			n := start(t, carrying("votes", class("broadcast")), counts.registry)
			f := newForger(t, n, func(fetch.Message) fetch.Message { return fetch.Message{Status: status} })
			good := newForger(t, n, nil) // it is asked, too, and sent nothing
			awaitCarriers(t, n, "votes", 2)
			dependant := vote(t, "dependant", object.ID{1})
			f.broadcasts(dependant)
			if blamed {
				awaitOffence(t, n, f.host.ID(), string(fetch.OffenceAbsent))
			}
			eventually(t, "the end of the search", func() bool { return counts.read(t, "weft_fetch_wants_total nobody_gave") > 0 })
			if !blamed {
				blameless(t, n, f.rawPeer)
			}
			blameless(t, n, good.rawPeer)
			awaitState(t, n, object.IDOf(dependant), "paused") // it is not lost: the dependency may come
			if !member(t, n, f.host.ID()) {
				t.Error("it was banned: one absence is a minor fault")
			}
		})
	}
}

// A request whose name is no hash is skipped, and its sender is blamed for that only.
func TestARequestForAForeignNameIsSkipped(t *testing.T) {
	n := start(t, carrying("votes", class("broadcast")))
	id := put(t, n, "votes", "here")
	f := newForger(t, n, nil)
	f.hears(fetch.Protocol)
	good := fetch.Message{Request: 7, ID: id}.Append(fetch.TypeRequest, nil)
	whole := id.CID().Bytes()
	foreign := slices.Concat([]byte{0x08, 6, 0x12, byte(len(whole))}, whole) // fields 1 and 2
	f.says(fetch.Protocol, fetch.TypeRequest, foreign)
	f.says(fetch.Protocol, fetch.TypeRequest, good)
	m, err := fetch.Parse(fetch.TypeAnswer, f.await(fetch.Protocol, fetch.TypeAnswer))
	if err != nil || m.Request != 7 || object.IDOf(m.Object) != id {
		t.Errorf("answered %+v, %v", m, err)
	}
	awaitOffence(t, n, f.host.ID(), string(fetch.OffenceMalformed))
}

// The API takes the one form of a name, and says so of any other.
func TestTheAPITakesNoOtherFormOfAName(t *testing.T) {
	n := start(t, withAPI, carrying("blocks"))
	api := client(t, n)
	id := put(t, n, "blocks", "here")
	multi := []byte(id.CID().Hash())
	sum512, err := multihash.Sum([]byte("here"), multihash.SHA2_512, -1)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "CIDv0": cid.NewCidV0(multi).String(), "another codec": cid.NewCidV1(cid.DagProtobuf, multi).String(),
		"another hash": cid.NewCidV1(cid.Raw, sum512).String(), "another base": "f" + hex.EncodeToString(id.CID().Bytes()), "upper case": strings.ToUpper(id.String()),
		"a path": "/ipfs/" + id.String(), "cut short": id.String()[:20], "blank after it": id.String() + " ",
	} {
		_, get := api.ObjectGet(soon(t), &weftv1.ObjectGetRequest{Cid: text})
		_, stat := api.ObjectStat(soon(t), &weftv1.ObjectStatRequest{Cid: text})
		_, put := api.ObjectPut(soon(t), &weftv1.ObjectPutRequest{Topic: "blocks", Text: "x", Deps: []string{text}})
		_, anchor := api.ObjectAnchor(soon(t), &weftv1.ObjectAnchorRequest{Topic: "blocks", Cid: text})
		for _, err := range []error{get, stat, put, anchor} {
			if connect.CodeOf(err) != connect.CodeInvalidArgument {
				t.Errorf("%s, %q: %v", name, text, err)
			}
		}
	}
	deps := make([]string, object.MaxDeps+1)
	for i := range deps {
		deps[i] = object.ID{byte(i), byte(i >> 8)}.String()
	}
	_, err = api.ObjectPut(soon(t), &weftv1.ObjectPutRequest{Topic: "blocks", Text: "x", Deps: deps})
	wantReason(t, err, connect.CodeInvalidArgument, "argument")
	if got, err := api.ObjectList(soon(t), &weftv1.ObjectListRequest{Topic: "blocks"}); err != nil || len(got.Entries) != 1 {
		t.Errorf("the topic holds %v, %v", got, err)
	}
}

// A chain of which no end comes takes a bounded amount of memory, and holds up nobody.
func TestAnEndlessChainIsBounded(t *testing.T) {
	const levels, size = 400, 60 << 10 // 24 MiB: more than what may wait of one peer
	var chain [][]byte
	at := map[object.ID][]byte{}
	prev := object.ID{1} // nobody has it
	for i := range levels {
		b := vote(t, fmt.Sprintf("%0*d", size, i), prev)
		prev = object.IDOf(b)
		chain, at[prev] = append(chain, b), b
	}
	counts := newCounts()
	n := start(t, carrying("votes", class("broadcast")), counts.registry)
	good := newForger(t, n, nil)
	bad := newForger(t, n, func(m fetch.Message) fetch.Message {
		if b := at[m.ID]; b != nil {
			return fetch.Message{Status: fetch.StatusFound, Object: b}
		}
		return fetch.Message{Status: fetch.StatusRefused}
	})
	bad.broadcasts(chain[levels-1])
	eventually(t, "what waits to be parked", func() bool { return counts.read(t, "weft_objects_pending parked") > 0 })
	if b := counts.read(t, "weft_objects_pending_bytes"); b > 16<<20 {
		t.Errorf("%.0f bytes wait of one peer", b)
	}
	began := time.Now()
	good.broadcasts(vote(t, "good"))
	if d := delivered(t, reads(t, n, "votes", 0)); string(d.Payload) != "good" {
		t.Errorf("delivered %q", d.Payload)
	}
	t.Logf("an honest object was delivered after %v", time.Since(began))
	blameless(t, n, good.rawPeer)
}
