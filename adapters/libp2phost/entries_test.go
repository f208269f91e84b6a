package libp2phost

import (
	"bytes"
	"errors"
	"testing"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/multiformats/go-varint"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

func prefixed(body []byte) []byte { return append(varint.ToUvarint(uint64(len(body))), body...) }

func passAll(e *entries, b []byte, piece int) error {
	for len(b) > 0 {
		n := min(piece, len(b))
		if err := e.pass(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func TestEntriesAreBoundedWhateverThePieces(t *testing.T) {
	rpc := func(entries int) []byte {
		r := &pb.RPC{}
		for range entries {
			r.Publish = append(r.Publish, &pb.Message{})
		}
		body, err := proto.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return prefixed(body)
	}
	for _, piece := range []int{1, 3, 512, 1 << 20} {
		var e entries
		if err := passAll(&e, rpc(maxEntries), piece); err != nil || e.count != maxEntries {
			t.Errorf("pieces of %d: %d entries, %v; want all allowed", piece, e.count, err)
		}
		e.next()
		if err := passAll(&e, rpc(maxEntries+1), piece); !errors.Is(err, errEntries) {
			t.Errorf("pieces of %d: one entry too many = %v", piece, err)
		}
	}
}

func TestWhatLooksLikeEntriesInsideAPayloadIsNotCounted(t *testing.T) {
	var e entries
	body, err := proto.Marshal(&pb.RPC{Publish: []*pb.Message{{Data: bytes.Repeat([]byte{0x12, 0}, 100_000)}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := passAll(&e, prefixed(body), 1000); err != nil || e.count != 1 {
		t.Errorf("%d entries, %v; want 1", e.count, err)
	}
}

// FuzzEntries compares with protobuf's own parser.
func FuzzEntries(f *testing.F) {
	f.Add([]byte{0x12, 0, 0x12, 0}, 1)
	f.Add([]byte{0x08, 0xff, 0x01, 0x15, 1, 2, 3, 4, 0x19, 1, 2, 3, 4, 5, 6, 7, 8}, 2)
	f.Fuzz(func(t *testing.T, body []byte, piece int) {
		want, ok := 0, true
		for b := body; len(b) > 0; want++ {
			_, typ, n := protowire.ConsumeField(b)
			if ok = n > 0 && typ != protowire.StartGroupType; !ok {
				break
			}
			b = b[n:]
		}
		var e entries
		err := passAll(&e, prefixed(body), max(piece, 1))
		if ok && want <= maxEntries && (err != nil || e.count != want) {
			t.Errorf("%x: %d entries, %v; protobuf finds %d", body, e.count, err, want)
		}
	})
}
