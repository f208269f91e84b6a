package simhost

import (
	"bytes"
	"testing"
	"testing/iotest"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"google.golang.org/protobuf/proto"
)

// TestMeterTellsMessagesFromControl sends RPCs in pieces of one byte.
func TestMeterTellsMessagesFromControl(t *testing.T) {
	message := &pb.Message{Data: make([]byte, 300), Topic: proto.String("a")}
	control := &pb.ControlMessage{
		Ihave: []*pb.ControlIHave{{TopicID: proto.String("a"), MessageIDs: []string{"x", "y"}}},
		Graft: []*pb.ControlGraft{{TopicID: proto.String("a")}},
		Prune: []*pb.ControlPrune{{TopicID: proto.String("a")}, {TopicID: proto.String("b")}},
	}
	var stream []byte
	for _, rpc := range []*pb.RPC{
		{Publish: []*pb.Message{message, message}},
		{Subscriptions: []*pb.RPC_SubOpts{{Subscribe: proto.Bool(true), Topicid: proto.String("a")}}},
		{Publish: []*pb.Message{message}, Control: control},
	} {
		stream = append(stream, framed(t, rpc)...)
	}
	m := meter{origins: newOrigins(nil)}
	f := frames{meter: &m}
	pieces := iotest.OneByteReader(bytes.NewReader(stream))
	for b := make([]byte, 8); ; {
		n, err := pieces.Read(b)
		if err != nil {
			break
		}
		f.add(b[:n])
	}

	got := m.read()
	copyBytes := uint64(3*(proto.Size(message)+3) + 2 + 2) // each with tag and length, two RPCs with a prefix of two bytes
	controlBytes := uint64(proto.Size(control)+2) + 1 + 7  // tag and length; the RPC of the subscription
	if got.Bytes != uint64(len(stream)) || got.Copies != 3 || got.CopyBytes != copyBytes || got.ControlBytes != controlBytes {
		t.Errorf("got %+v\nwant %d bytes, 3 copies of %d bytes, %d of control", got, len(stream), copyBytes, controlBytes)
	}
	if got.Grafts != 1 || got.Prunes != 2 || got.IHave != 11 || got.Graft != 5 || got.Prune != 10 || got.Subscribe != 7 {
		t.Errorf("got %+v\nwant 1 graft of 5 bytes, 2 prunes of 5, IHAVEs of 11, subscriptions of 7", got)
	}
	if got.Bytes != got.CopyBytes+got.ControlBytes {
		t.Errorf("%d bytes are neither message nor control", got.Bytes-got.CopyBytes-got.ControlBytes)
	}
}

func TestMeterIgnoresGarbage(t *testing.T) {
	m := meter{origins: newOrigins(nil)}
	f := frames{meter: &m}
	f.add([]byte{3, 0xff, 0xff, 0xff, 2, 0x12, 0x7f})
	if got := m.read(); got.Copies != 0 || got.Bytes != 7 {
		t.Errorf("got %+v, want 7 bytes and no message", got)
	}
}
