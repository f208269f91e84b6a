package gossipsub

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"testing"
	"time"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"google.golang.org/protobuf/proto"

	"github.com/weftnet/weft/docs/protocols/vectors"
	"github.com/weftnet/weft/protocols/episub"
)

// episubVectors is docs/protocols/vectors/episub.json.
type episubVectors struct {
	vectors.Page
	Protocols []protocol.ID `json:"protocols"`
	IDs       []struct {
		Name   string      `json:"name"`
		Topic  string      `json:"topic"`
		Author vectors.Hex `json:"author"`
		Seqno  vectors.Hex `json:"seqno"`
		Data   vectors.Hex `json:"data"`
		ID     vectors.Hex `json:"id"`
	} `json:"ids"`
	Messages []episubMessage `json:"messages"`
	Prunes   []struct {
		Name  string      `json:"name"`
		Means string      `json:"means"`
		Bytes vectors.Hex `json:"bytes"`
	} `json:"prunes"`
}

type episubMessage struct {
	Name  string        `json:"name"`
	Kind  string        `json:"kind"`
	IDs   []vectors.Hex `json:"ids"`
	Bytes vectors.Hex   `json:"bytes"`
}

func readEpisubVectors(t *testing.T) (v episubVectors) {
	t.Helper()
	if err := vectors.Read("episub", &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// of is the message of a kind.
func (v episubVectors) of(t *testing.T, kind string) vectors.Hex {
	t.Helper()
	for _, m := range v.Messages {
		if m.Kind == kind {
			return m.Bytes
		}
	}
	t.Fatalf("no vector %q", kind)
	return nil
}

// speaker is a peer in the topic t that speaks episub by hand.
type speaker struct {
	host.Host
	t    *testing.T
	node *PubSub
	out  network.Stream
	in   chan []byte // messages of the node, with their length
}

func speak(t *testing.T, node *PubSub) *speaker {
	t.Helper()
	s := &speaker{Host: newHost(t), t: t, node: node, in: make(chan []byte, 64)}
	s.SetStreamHandler(EpisubProtocol, s.listen)
	s.subscribe()
	return s
}

// subscribe opens the stream to the node.
func (s *speaker) subscribe() {
	t, node := s.t, s.node
	t.Helper()
	connect(t, s, node.host)
	var err error
	if s.out, err = s.NewStream(soon(t), node.host.ID(), EpisubProtocol); err != nil {
		t.Fatal(err)
	}
	hello, err := proto.Marshal(&pb.RPC{Subscriptions: []*pb.RPC_SubOpts{{Subscribe: proto.Bool(true), Topicid: proto.String("t")}}})
	if err != nil {
		t.Fatal(err)
	}
	s.say(append(binary.AppendUvarint(nil, uint64(len(hello))), hello...))
}

// listen ends with the stream.
func (s *speaker) listen(stream network.Stream) {
	r := bufio.NewReader(stream)
	for {
		size, err := binary.ReadUvarint(r)
		if err != nil {
			return
		}
		rpc := make([]byte, size)
		if _, err := io.ReadFull(r, rpc); err != nil {
			return
		}
		s.in <- append(binary.AppendUvarint(nil, size), rpc...)
	}
}

func (s *speaker) say(rpc []byte) {
	s.t.Helper()
	if _, err := s.out.Write(rpc); err != nil {
		s.t.Fatal(err)
	}
}

// hears waits for a message of the node.
func (s *speaker) hears(what string, rpc vectors.Hex) {
	s.t.Helper()
	late := time.After(patience)
	for {
		select {
		case got := <-s.in:
			if bytes.Equal(got, rpc) {
				return
			}
		case <-late:
			s.t.Fatalf("the node did not send %s: %v", what, rpc)
		}
	}
}

// grafts lets the node push to it.
func (s *speaker) grafts(v episubVectors) {
	s.t.Helper()
	s.say(v.of(s.t, "unchoke"))
	eventually(s.t, "the node pushes", func() bool { v, _ := s.node.Tiers("t"); return v.PushedTo == 1 })
}

func TestEpisubVectors(t *testing.T) {
	v := readEpisubVectors(t)
	node := newEpisub(t)
	subscribe(t, node, "t")
	s := speak(t, node)
	s.hears("that it may push, as the only peer", v.of(t, "unchoke"))
	for _, m := range v.Messages {
		var ids []string
		for _, id := range m.IDs {
			ids = append(ids, string(id))
		}
		effect := map[string]episub.Effect{
			"choke": episub.Choke{Peer: s.ID()}, "unchoke": episub.Unchoke{Peer: s.ID()},
			"announce": episub.Announce{Peer: s.ID(), IDs: ids}, "ask": episub.Ask{Peer: s.ID(), IDs: ids},
		}[m.Kind]
		if effect == nil {
			continue
		}
		onLoop(node, func() {
			node.engine.out = append(node.engine.out, effect)
			node.engine.act(node.engine.topics["t"], nil)
		})
		s.hears(m.Name, m.Bytes)
	}
	s.say(v.of(t, "announce"))
	s.hears("a request for what was announced", v.of(t, "ask"))
}

func TestEpisubVectorOfARefusal(t *testing.T) {
	v := readEpisubVectors(t)
	cfg := DefaultConfig()
	cfg.Episub = true
	cfg.Tiers.EagerTarget, cfg.Tiers.EagerMin, cfg.Tiers.MaxPushed = 1, 1, 1
	node := newNodeWith(t, cfg)
	subscribe(t, node, "t")
	speak(t, node).grafts(v)
	second := speak(t, node)
	second.say(v.of(t, "unchoke"))
	second.hears("a refusal", v.of(t, "refuse"))
}

func TestEpisubVectorsOfPrunes(t *testing.T) {
	v := readEpisubVectors(t)
	for _, p := range v.Prunes {
		t.Run(p.Name, func(t *testing.T) {
			node := newEpisub(t)
			subscribe(t, node, "t")
			s := speak(t, node)
			s.hears("that it may push, as the only peer", v.of(t, "unchoke"))
			s.grafts(v)
			s.say(p.Bytes)
			eventually(t, "the node pushes no more", func() bool { v, _ := node.Tiers("t"); return v.PushedTo == 0 })
			tiers, _ := node.Tiers("t")
			if means := map[int]string{1: "choke", 0: "refusal"}[tiers.Eager]; means != p.Means {
				t.Errorf("taken for a %s, want a %s", means, p.Means)
			}
		})
	}
}

func TestEpisubVectorsOfNames(t *testing.T) {
	v := readEpisubVectors(t)
	if got := newEpisub(t).router.Protocols(); !slices.Equal(got, v.Protocols) {
		t.Errorf("protocols %v, want %v", got, v.Protocols)
	}
	for _, id := range v.IDs {
		m := &pb.Message{From: id.Author, Seqno: id.Seqno, Data: id.Data}
		topic := tiers{objects: id.Topic == "object"}
		if got := topic.id(m); !id.ID.Is([]byte(got)) {
			t.Errorf("%s: %x, want %v", id.Name, got, id.ID)
		}
	}
}

func TestEpisubVectorLimits(t *testing.T) {
	v := readEpisubVectors(t)
	cfg := episub.DefaultConfig()
	for _, diff := range v.Limits.Diff(vectors.Limits{
		"choke-backoff":  vectors.Of(int(chokeSeconds), "s"),
		"refuse-backoff": vectors.Of(int(refuseSeconds), "s"),
		"min-pause":      vectors.Time(cfg.MinPause),
		"batch":          vectors.Time(cfg.Batch),
		"announced-to":   vectors.Of(cfg.LazyTarget, "peers"),
		"max-pushed":     vectors.Of(cfg.MaxPushed, "peers"),
		"max-peers":      vectors.Of(cfg.MaxPeers, "peers"),
		"ids-per-second": vectors.Of(cfg.IDsPerSec, "IDs"),
		"max-id":         vectors.Of(cfg.MaxID, "bytes"),
		"max-wanted":     vectors.Of(cfg.MaxWanted, "messages"),
		"max-messages":   vectors.Of(cfg.MaxMessages, "messages"),
		"remember":       vectors.Time(cfg.Remember),
	}) {
		t.Errorf("limit %s: the vectors and the code differ", diff)
	}
	if len(v.Offences) > 0 {
		t.Errorf("offences %v, and the tiers know none", v.Offences)
	}
}
