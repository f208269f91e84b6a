package simhost

import (
	"testing"
	"testing/synctest"
	"time"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-varint"
	"google.golang.org/protobuf/proto"
)

// TestAnAnswerIsToldFromAPush has Bob read a request of Alice, and Alice a copy of his,
// which he sent before or after that.
func TestAnAnswerIsToldFromAPush(t *testing.T) {
	const oneWay = 50 * time.Millisecond
	for _, c := range []struct {
		what   string
		asked  string // message
		after  time.Duration
		pulled bool
	}{
		{"a push that crossed the request", "author\x07", oneWay - 1, false},
		{"an answer", "author\x07", oneWay, true},
		{"a push, after a request for another message", "author\x08", time.Second, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := meter{origins: newOrigins(func(peer.ID, peer.ID) time.Duration { return oneWay })}
			toBob, toAlice := frames{meter: &m, from: "alice", to: "bob"}, frames{meter: &m, from: "bob", to: "alice"}
			message := &pb.Message{From: []byte("author"), Seqno: []byte{7}, Data: []byte{0, 0, 0, 0, 0, 0, 0, 3}}
			toBob.add(framed(t, &pb.RPC{Control: &pb.ControlMessage{Iwant: []*pb.ControlIWant{{MessageIDs: []string{c.asked}}}}}))
			time.Sleep(c.after)
			toAlice.add(framed(t, &pb.RPC{Publish: []*pb.Message{message}}))
			time.Sleep(time.Second)
			toAlice.add(framed(t, &pb.RPC{Publish: []*pb.Message{message}})) // a copy changes nothing
			if got := m.origins.pulled(3, "alice"); got != c.pulled {
				t.Errorf("%s: pulled %v", c.what, got)
			}
		})
	}
}

func framed(t *testing.T, rpc *pb.RPC) []byte {
	t.Helper()
	data, err := proto.Marshal(rpc)
	if err != nil {
		t.Fatal(err)
	}
	return append(varint.ToUvarint(uint64(len(data))), data...)
}
