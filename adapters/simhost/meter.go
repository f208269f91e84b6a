package simhost

import (
	"encoding/binary"
	"strings"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weftnet/weft/adapters/gossipsub"
)

// Traffic is what nodes read from streams of the gossip stack. Since each byte is
// read once, it is both directions of every connection.
type Traffic struct {
	Bytes        uint64 // all of it
	Copies       uint64 // messages in full
	CopyBytes    uint64 // these, with topic, author, signature
	ControlBytes uint64 // everything else: subscriptions, control, length prefixes
	IHave        uint64 // of these, bytes by kind
	IWant        uint64
	IDontWant    uint64
	Graft        uint64
	Prune        uint64
	Subscribe    uint64
	Grafts       uint64 // counts
	Prunes       uint64
}

// meter adds up the traffic of all nodes.
type meter struct {
	bytes, copies, copyBytes, control          atomic.Uint64
	ihave, iwant, idontwant, graft, prune, sub atomic.Uint64
	grafts, prunes                             atomic.Uint64

	origins *origins
}

func (m *meter) read() Traffic {
	return Traffic{
		Bytes: m.bytes.Load(), Copies: m.copies.Load(), CopyBytes: m.copyBytes.Load(), ControlBytes: m.control.Load(),
		IHave: m.ihave.Load(), IWant: m.iwant.Load(), IDontWant: m.idontwant.Load(), Graft: m.graft.Load(), Prune: m.prune.Load(),
		Subscribe: m.sub.Load(), Grafts: m.grafts.Load(), Prunes: m.prunes.Load(),
	}
}

func (t Traffic) minus(u Traffic) Traffic {
	return Traffic{
		Bytes: t.Bytes - u.Bytes, Copies: t.Copies - u.Copies, CopyBytes: t.CopyBytes - u.CopyBytes, ControlBytes: t.ControlBytes - u.ControlBytes,
		IHave: t.IHave - u.IHave, IWant: t.IWant - u.IWant, IDontWant: t.IDontWant - u.IDontWant, Graft: t.Graft - u.Graft, Prune: t.Prune - u.Prune,
		Subscribe: t.Subscribe - u.Subscribe, Grafts: t.Grafts - u.Grafts, Prunes: t.Prunes - u.Prunes,
	}
}

// meteredHost counts what comes in on streams of the protocols that the gossip
// stack handles.
type meteredHost struct {
	host.Host
	meter *meter
}

func (h meteredHost) SetStreamHandler(id protocol.ID, handle network.StreamHandler) {
	h.Host.SetStreamHandler(id, h.metered(handle))
}

func (h meteredHost) SetStreamHandlerMatch(id protocol.ID, match func(protocol.ID) bool, handle network.StreamHandler) {
	h.Host.SetStreamHandlerMatch(id, match, h.metered(handle))
}

func (h meteredHost) metered(handle network.StreamHandler) network.StreamHandler {
	return func(s network.Stream) {
		handle(&meteredStream{Stream: s, frames: frames{
			meter: h.meter, other: !isPubsub(s.Protocol()), from: s.Conn().RemotePeer(), to: h.ID(),
		}})
	}
}

func isPubsub(id protocol.ID) bool {
	return strings.HasPrefix(string(id), "/meshsub/") || strings.HasPrefix(string(id), "/floodsub/") || id == gossipsub.EpisubProtocol
}

// meteredStream counts what is read.
type meteredStream struct {
	network.Stream
	frames frames // one goroutine reads
}

func (s *meteredStream) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	s.frames.add(p[:n])
	return n, err
}

// frames cuts a stream into pubsub's messages: a varint with the length, then that
// many bytes of protobuf. On streams of other protocols it counts bytes only.
type frames struct {
	meter    *meter
	other    bool
	from, to peer.ID
	buf      []byte
}

func (f *frames) add(p []byte) {
	f.meter.bytes.Add(uint64(len(p)))
	if f.other {
		return
	}
	f.buf = append(f.buf, p...)
	for {
		size, n := binary.Uvarint(f.buf)
		if n <= 0 || uint64(len(f.buf)-n) < size {
			return
		}
		f.frame(f.buf[n:n+int(size)], uint64(n))
		f.buf = f.buf[n+int(size):]
	}
}

// The fields of pubsub's RPC and of the control in it: rpc.proto of
// github.com/libp2p/specs/pubsub.
const (
	fieldSubscriptions = 1
	fieldPublish       = 2
	fieldControl       = 3

	fieldIHave     = 1
	fieldIWant     = 2
	fieldGraft     = 3
	fieldPrune     = 4
	fieldIDontWant = 5

	fieldFrom  = 1 // of a message
	fieldData  = 2
	fieldSeqno = 3

	fieldRequested = 1 // of an IWANT
)

// frame counts one RPC. Its length prefix belongs to the message in it, or else to control.
func (f *frames) frame(rpc []byte, prefix uint64) {
	m, messages := f.meter, false
	fields(rpc, func(num protowire.Number, value []byte, size uint64) {
		switch num {
		case fieldPublish:
			messages = true
			m.copies.Add(1)
			m.copyBytes.Add(size)
			m.origins.copied(f.from, f.to, value)
			return
		case fieldSubscriptions:
			m.sub.Add(size)
		case fieldControl:
			f.controls(value)
		}
		m.control.Add(size)
	})
	if messages {
		m.copyBytes.Add(prefix)
	} else {
		m.control.Add(prefix)
	}
}

func (f *frames) controls(control []byte) {
	m := f.meter
	fields(control, func(num protowire.Number, value []byte, size uint64) {
		switch num {
		case fieldIHave:
			m.ihave.Add(size)
		case fieldIWant:
			m.iwant.Add(size)
			f.requests(value)
		case fieldGraft:
			m.graft.Add(size)
			m.grafts.Add(1)
		case fieldPrune:
			m.prune.Add(size)
			m.prunes.Add(1)
		case fieldIDontWant:
			m.idontwant.Add(size)
		}
	})
}

// requests notes which messages the sender asks for.
func (f *frames) requests(iwant []byte) {
	fields(iwant, func(num protowire.Number, id []byte, _ uint64) {
		if num == fieldRequested {
			f.meter.origins.requested(request{by: f.from, of: f.to, id: string(id)})
		}
	})
}

// fields calls f for each field with its value, when that is bytes, and its whole
// size. It stops at what is no protobuf.
func fields(b []byte, f func(num protowire.Number, value []byte, size uint64)) {
	for len(b) > 0 {
		num, kind, tag := protowire.ConsumeTag(b)
		if tag < 0 {
			return
		}
		n := protowire.ConsumeFieldValue(num, kind, b[tag:])
		if n < 0 {
			return
		}
		var value []byte
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(b[tag:])
		}
		f(num, value, uint64(tag+n))
		b = b[tag+n:]
	}
}
