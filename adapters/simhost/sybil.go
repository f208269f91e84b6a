package simhost

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"google.golang.org/protobuf/proto"
)

// meshsub is what a Sybil speaks.
const meshsub = protocol.ID("/meshsub/1.2.0")

// maxRPC is the longest RPC that a Sybil reads, in bytes: far above what is simulated.
const maxRPC = 32 << 20

// maxQueued is how many RPCs wait for a target: chosen above what an attack sends in
// the time that an honest node takes to read it.
const maxQueued = 256

// Sybil is a libp2p host that speaks pubsub's wire protocol by hand, and so can say
// what no honest node says.
type Sybil struct {
	Index  int // among the Sybils
	attack *Attack
	host   *simHost
	over   <-chan struct{} // closed at the end of the run
	begun  atomic.Bool     // the attack; before, it only pretends

	allies []*Sybil // that it tells what it hears, at once

	mu   sync.Mutex
	out  map[peer.ID]chan []byte // queues to targets
	mesh map[peer.ID]bool        // targets that we push to
	seen map[string]*pb.Message  // by message ID
	last *pb.Message             // the newest message seen
}

func newSybil(index int, a *Attack, h *simHost, over <-chan struct{}) *Sybil {
	s := &Sybil{
		Index: index, attack: a, host: h, over: over,
		out: make(map[peer.ID]chan []byte), mesh: make(map[peer.ID]bool), seen: make(map[string]*pb.Message),
	}
	h.SetStreamHandler(meshsub, s.listen)
	for _, id := range a.Protocols {
		h.SetStreamHandler(id, s.listen)
	}
	return s
}

// Last is the newest message that the Sybil has seen; nil: none.
func (s *Sybil) Last() *pb.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// dial connects to a target and says hello: subscribed, and in its mesh.
func (s *Sybil) dial(ctx context.Context, to peer.AddrInfo) error {
	if err := s.host.Connect(ctx, to); err != nil {
		return fmt.Errorf("sybil %d: %w", s.Index, err)
	}
	stream, err := s.host.NewStream(ctx, to.ID, meshsub)
	if err != nil {
		return fmt.Errorf("sybil %d: %w", s.Index, err)
	}
	s.mu.Lock()
	queue := make(chan []byte, maxQueued)
	s.out[to.ID], s.mesh[to.ID] = queue, true
	s.mu.Unlock()
	go s.write(stream, queue)
	s.Send(to.ID, Hello())
	return nil
}

// Targets are whom the Sybil can send to.
func (s *Sybil) Targets() (targets []peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.out {
		targets = append(targets, id)
	}
	return targets
}

// Send queues an RPC. A target that has hung up gets no more, one that does not read
// loses what exceeds the queue.
func (s *Sybil) Send(to peer.ID, rpc *pb.RPC) {
	body, err := proto.Marshal(rpc)
	if err != nil {
		panic(err) // we made it
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.out[to] <- append(binary.AppendUvarint(nil, uint64(len(body))), body...):
	default:
	}
}

// write writes what is queued. No lock is held meanwhile: virtual time stands still
// while somebody waits for one.
func (s *Sybil) write(stream network.Stream, queue <-chan []byte) {
	for {
		select {
		case b := <-queue:
			if _, err := stream.Write(b); err != nil {
				_ = stream.Reset()
				return
			}
		case <-s.over:
			return
		}
	}
}

// listen reads what a target sends.
func (s *Sybil) listen(stream network.Stream) {
	r := bufio.NewReader(stream)
	for {
		rpc, err := readRPC(r)
		if err != nil {
			_ = stream.Reset()
			return
		}
		s.handle(stream.Conn().RemotePeer(), rpc)
	}
}

func readRPC(r *bufio.Reader) (*pb.RPC, error) {
	size, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if size > maxRPC {
		return nil, errors.New("RPC too long")
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	rpc := new(pb.RPC)
	return rpc, proto.Unmarshal(body, rpc)
}

// handle is what an honest node would do; once the attack has begun, nothing is given.
func (s *Sybil) handle(from peer.ID, rpc *pb.RPC) {
	wanted := s.note(from, rpc.GetControl())
	for _, m := range rpc.GetPublish() {
		s.hear(from, m)
	}
	if len(wanted) > 0 && !s.begun.Load() {
		s.Send(from, &pb.RPC{Publish: wanted})
	}
}

// note keeps the mesh in mind, and returns the messages that are asked for.
func (s *Sybil) note(from peer.ID, c *pb.ControlMessage) (wanted []*pb.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range c.GetGraft() {
		s.mesh[from] = true
	}
	for range c.GetPrune() {
		delete(s.mesh, from)
	}
	for _, want := range c.GetIwant() {
		for _, id := range want.GetMessageIDs() {
			if m := s.seen[id]; m != nil {
				wanted = append(wanted, m)
			}
		}
	}
	return wanted
}

// hear spreads a message that is new.
func (s *Sybil) hear(from peer.ID, m *pb.Message) {
	if !s.keep(m) {
		return
	}
	for _, ally := range s.allies {
		ally.hear(from, m)
	}
	for _, to := range s.Targets() {
		switch {
		case to == from || string(to) == string(m.GetFrom()):
		case !s.begun.Load() && s.Pushes(to):
			s.Send(to, &pb.RPC{Publish: []*pb.Message{m}})
		case !s.begun.Load() || s.attack.Promise:
			s.Send(to, control(&pb.ControlMessage{Ihave: []*pb.ControlIHave{{TopicID: proto.String(topic), MessageIDs: []string{messageID(m)}}}}))
		}
	}
}

// keep says whether a message is new.
func (s *Sybil) keep(m *pb.Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[messageID(m)] != nil {
		return false
	}
	s.seen[messageID(m)], s.last = m, m
	return true
}

func messageID(m *pb.Message) string { return string(m.GetFrom()) + string(m.GetSeqno()) }

// Pushes says whether a target wants to be pushed to, as far as the Sybil was told.
func (s *Sybil) Pushes(to peer.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mesh[to]
}

// Hello subscribes to the topic and grafts.
func Hello() *pb.RPC {
	return &pb.RPC{
		Subscriptions: []*pb.RPC_SubOpts{{Subscribe: proto.Bool(true), Topicid: proto.String(topic)}},
		Control:       &pb.ControlMessage{Graft: []*pb.ControlGraft{{TopicID: proto.String(topic)}}},
	}
}
