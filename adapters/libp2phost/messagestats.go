package libp2phost

import "sync/atomic"

// dropCause says why a message was not sent. Causes are label values of metrics.
type dropCause uint8

const (
	dropGone       dropCause = iota // the peer is not connected, or no longer
	dropFull                        // too many wait for the peer
	dropReplaced                    // a newer vital message took its place
	dropRefused                     // the peer does not speak the protocol
	dropStalled                     // the peer does not read
	dropFailed                      // no stream could be opened, or it broke
	dropUnsendable                  // our own fault
	dropCauses
)

func (c dropCause) String() string {
	return [...]string{"gone", "full", "replaced", "refused", "stalled", "failed", "unsendable"}[c]
}

// badCause says why a message was not taken, or its stream ended.
type badCause uint8

const (
	badShort     badCause = iota // skipped: shorter than its header
	badSender                    // skipped: names another sender
	badSkew                      // skipped: its time is too far from ours
	badTooLong                   // stream reset: over the limit
	badSlow                      // stream reset: a message did not end in time
	badSilent                    // stream reset: no message came in time
	badEvicted                   // stream reset: stalled while others waited for memory
	badStreams                   // stream refused: one too many
	badDirection                 // stream refused: on our own connection
	badKey                       // stream refused: the peer has no Ed25519 key
	badCauses
)

func (c badCause) String() string {
	return [...]string{"short", "sender", "skew", "too_long", "slow", "silent", "evicted", "streams", "direction", "key"}[c]
}

// messageStats counts the messages of one host.
type messageStats struct {
	sentMessages, sentBytes         atomic.Uint64
	receivedMessages, receivedBytes atomic.Uint64
	dropped                         [dropCauses]atomic.Uint64
	bad                             [badCauses]atomic.Uint64
}

func (s *messageStats) drop(why dropCause, n int) {
	if n > 0 {
		s.dropped[why].Add(uint64(n))
	}
}

func (s *messageStats) sent(messages, bytes int) {
	s.sentMessages.Add(uint64(messages))
	s.sentBytes.Add(uint64(bytes))
}

func (s *messageStats) received(bytes int) {
	s.receivedMessages.Add(1)
	s.receivedBytes.Add(uint64(bytes))
}

// MessageStats counts the messages of weft's own protocols, frames included.
type MessageStats struct {
	Sent, SentBytes         uint64
	Received, ReceivedBytes uint64
	Dropped                 map[string]uint64 // not sent, by cause: gone, full, replaced, refused, stalled, failed, unsendable
	Malformed               map[string]uint64 // not taken, by cause: short, sender, skew; and streams, by cause: too_long, slow, silent, evicted, streams, direction, key
	QueuedBytes             int               // wait to be sent now
	HeldBytes               int               // held by messages that are being read or handled now
}

// snapshot is nil-safe: a host without messages has none to count.
func (m *messenger) snapshot() (s MessageStats) {
	if m == nil {
		return s
	}
	st := &m.stats
	s.Sent, s.SentBytes = st.sentMessages.Load(), st.sentBytes.Load()
	s.Received, s.ReceivedBytes = st.receivedMessages.Load(), st.receivedBytes.Load()
	s.Dropped, s.Malformed = make(map[string]uint64, dropCauses), make(map[string]uint64, badCauses)
	for i := range st.dropped {
		s.Dropped[dropCause(i).String()] = st.dropped[i].Load()
	}
	for i := range st.bad {
		s.Malformed[badCause(i).String()] = st.bad[i].Load()
	}
	for _, l := range m.all() {
		l.mu.Lock()
		s.QueuedBytes += l.queued.bytes
		l.mu.Unlock()
	}
	s.HeldBytes = m.pools.held()
	return s
}
