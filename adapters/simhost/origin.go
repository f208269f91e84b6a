package simhost

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/encoding/protowire"
)

// origins finds out which deliveries were asked for, by what nodes read from each
// other: the first copy of a message is an answer when its sender had read a request for
// it before it can have sent that copy.
type origins struct {
	delay func(a, b peer.ID) time.Duration // one way

	mu     sync.Mutex
	asked  map[request]time.Time // when it was read
	answer map[arrival]bool      // by first copy
}

// request is one for a message that a node read.
type request struct {
	by, of peer.ID
	id     string
}

// arrival is the first copy of a message at a node.
type arrival struct {
	at      peer.ID
	message uint64
}

func newOrigins(delay func(a, b peer.ID) time.Duration) *origins {
	return &origins{delay: delay, asked: make(map[request]time.Time), answer: make(map[arrival]bool)}
}

// requested notes that a node read a request of another for a message.
func (o *origins) requested(r request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, again := o.asked[r]; !again {
		o.asked[r] = time.Now()
	}
}

// copied notes that a node read a message of another.
func (o *origins) copied(from, to peer.ID, message []byte) {
	var author, seq, data []byte
	fields(message, func(num protowire.Number, value []byte, _ uint64) {
		switch num {
		case fieldFrom:
			author = value
		case fieldData:
			data = value
		case fieldSeqno:
			seq = value
		}
	})
	if len(data) < headerBytes {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	a := arrival{to, binary.BigEndian.Uint64(data)}
	if _, again := o.answer[a]; again {
		return
	}
	read, asked := o.asked[request{by: to, of: from, id: string(author) + string(seq)}]
	o.answer[a] = asked && time.Since(read) >= o.delay(from, to)
}

// pulled says whether a delivery was asked for.
func (o *origins) pulled(message int, at peer.ID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.answer[arrival{at, uint64(message)}]
}
