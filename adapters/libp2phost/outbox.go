package libp2phost

import "github.com/weftnet/weft/protocols/frame"

// outgoing is a message that waits to be sent.
type outgoing struct {
	kind    frame.Type
	vital   bool
	payload []byte
}

func (o outgoing) size() int { return frame.LengthSize + frame.HeaderSize + len(o.payload) }

// load is how much of a peer's ordinary messages wait, in all its lanes.
type load struct {
	messages, bytes       int
	maxMessages, maxBytes int
}

// weigh is what a message counts for. A very large one counts as three quarters of
// the limit: there is place for one, and for small ones beside it.
func (w *load) weigh(o outgoing) int { return min(o.size(), w.maxBytes-w.maxBytes/4) }

func (w *load) fits(o outgoing) bool {
	return w.messages < w.maxMessages && w.bytes+w.weigh(o) <= w.maxBytes
}

func (w *load) add(o outgoing) {
	if !o.vital {
		w.messages++
		w.bytes += w.weigh(o)
	}
}

func (w *load) remove(o outgoing) {
	if !o.vital {
		w.messages--
		w.bytes -= w.weigh(o)
	}
}

// outbox is what waits in one lane. Of vital messages there is one of each type,
// the newest: an older handshake, ping or pong says nothing that the newer does
// not. They go first. Ordinary messages keep their order.
type outbox struct {
	vital    []outgoing
	ordinary []outgoing
	head     int // of ordinary
}

func (b *outbox) empty() bool { return len(b.vital) == 0 && b.head == len(b.ordinary) }

// putVital queues a vital message; replaced says that it took another's place.
func (b *outbox) putVital(o outgoing) (replaced bool) {
	for i := range b.vital {
		if b.vital[i].kind == o.kind {
			b.vital[i] = o
			return true
		}
	}
	b.vital = append(b.vital, o)
	return false
}

func (b *outbox) put(o outgoing) { b.ordinary = append(b.ordinary, o) }

// take appends messages to batch, up to limit bytes, and at least one.
func (b *outbox) take(batch []outgoing, limit int) []outgoing {
	total := 0
	room := func(o outgoing) bool {
		total += o.size()
		return len(batch) == 0 || total <= limit
	}
	for len(b.vital) > 0 && room(b.vital[0]) {
		batch = append(batch, b.vital[0])
		b.vital = b.vital[1:]
	}
	for len(b.vital) == 0 && b.head < len(b.ordinary) && room(b.ordinary[b.head]) {
		batch = append(batch, b.ordinary[b.head])
		b.ordinary[b.head] = outgoing{}
		b.head++
	}
	b.tidy()
	return batch
}

// keepRoom is how many messages an empty outbox keeps room for; chosen because it is
// a few hundred bytes.
const keepRoom = 8

// tidy keeps an idle outbox small.
func (b *outbox) tidy() {
	if len(b.vital) == 0 {
		b.vital = nil
	}
	switch rest := len(b.ordinary) - b.head; {
	case rest == 0 && cap(b.ordinary) <= keepRoom:
		b.ordinary, b.head = b.ordinary[:0], 0
	case rest == 0:
		b.ordinary, b.head = nil, 0
	case b.head > rest: // copying stays cheap, spread over the messages that were taken
		n := copy(b.ordinary, b.ordinary[b.head:])
		clear(b.ordinary[n:])
		b.ordinary, b.head = b.ordinary[:n], 0
	}
}

// putBack returns what was taken last, in front.
func (b *outbox) putBack(batch []outgoing) (replaced int) {
	var rest []outgoing
	for _, o := range batch {
		switch {
		case !o.vital:
			rest = append(rest, o)
		case b.hasVital(o.kind):
			replaced++
		default:
			b.vital = append(b.vital, o)
		}
	}
	b.ordinary = append(rest, b.ordinary[b.head:]...)
	b.head = 0
	return replaced
}

func (b *outbox) hasVital(t frame.Type) bool {
	for i := range b.vital {
		if b.vital[i].kind == t {
			return true
		}
	}
	return false
}
