package libp2phost

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/multiformats/go-multistream"
	"github.com/multiformats/go-varint"

	"github.com/weftnet/weft/protocols/core"
)

const (
	// answerTimeout is how long a new stream may take to be opened and then to be
	// answered (libp2p's own negotiation timeout).
	answerTimeout = 10 * time.Second

	// refusedWithin is how soon a stream that libp2p's negotiation reset was reset
	// because it refused the protocol, and not because it timed out.
	refusedWithin = answerTimeout / 2

	// helloRoom is the room for what opens a stream, in bytes, and maxProtocolID
	// what it leaves for the protocol ID; chosen because IDs are short.
	helloRoom     = 256
	maxProtocolID = helloRoom - len(multistream.ProtocolID) - 2 - 3

	// notAvailable is multistream's answer to a protocol that is not spoken.
	notAvailable = "na"
)

var (
	errRefused = errors.New("the peer does not speak the protocol")
	errAnswer  = errors.New("the peer did not answer as multistream does")
)

// hello is what multistream-select sends first, with the choice of a protocol
// right behind it, so that the choice costs no round trip. go-multistream's lazy
// client does the same, but does not tell how many bytes of a message were sent
// when a stream ends, and keeps its state as long as the stream.
func hello(id string) (out []byte) {
	for _, token := range []string{multistream.ProtocolID, id} {
		out = append(out, varint.ToUvarint(uint64(len(token)+1))...)
		out = append(append(out, token...), '\n')
	}
	return out
}

// readAnswer reads multistream's answer to hello.
func readAnswer(s network.Stream, id string) error {
	for _, want := range []string{multistream.ProtocolID, id} {
		switch got, err := multistream.ReadNextToken[string](s); {
		case err != nil:
			return err
		case got == notAvailable:
			return errRefused
		case got != want:
			return fmt.Errorf("%w: %q", errAnswer, got)
		}
	}
	return nil
}

// confirm waits for the answer on a stream that is in use already.
func (ln *lane) confirm(s network.Stream, opened time.Time) {
	err := s.SetReadDeadline(opened.Add(answerTimeout))
	if err == nil {
		err = readAnswer(s, ln.link.m.cfg.Messages[ln.index].ID)
	}
	if err == nil {
		ln.link.spoken(ln.index)
		_ = s.SetReadDeadline(time.Time{}) // frees its timer
		_ = s.CloseRead()                  // nothing else comes
		return
	}
	_ = s.Reset()
	ln.forget(s, refuses(err, time.Since(opened)))
}

// refuses says whether a negotiation failed because the protocol is not spoken.
// The answer that says so is often overtaken by the reset that follows it.
func refuses(err error, took time.Duration) bool {
	var reset *network.StreamError
	return errors.Is(err, errRefused) || errors.As(err, &reset) && reset.Remote &&
		reset.ErrorCode == network.StreamProtocolNegotiationFailed && took < refusedWithin
}

// forget gives up a stream that failed.
func (ln *lane) forget(s network.Stream, refused bool) {
	l := ln.link
	l.mu.Lock()
	if !ln.running && ln.stream == s {
		ln.stream = nil
	}
	if refused {
		ln.refused = true
		ln.drop(dropRefused)
	}
	l.mu.Unlock()
	if refused && ln.index == 0 {
		l.markPlain()
	}
}

// spoken notes that the peer speaks a protocol. Whoever speaks the first one is a
// weft peer.
func (l *link) spoken(index int) {
	if index > 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.speaks = true
}

// markPlain tells that the peer is no weft peer, unless it has shown that it is
// one, or it was told before.
func (l *link) markPlain() {
	l.mu.Lock()
	told := l.plain || l.speaks
	if !told {
		l.plain = true
		for i := range l.lanes {
			l.lanes[i].drop(dropRefused)
		}
	}
	l.mu.Unlock()
	if !told {
		l.m.book.report(l.peer, core.Plain{Peer: l.peer})
	}
}

// suspectFor is how long a peer that identify knows without the first protocol may
// still turn out to speak it: in the moments after its start a host tells its
// protocols as they were before, and corrects itself. Chosen well below the time
// that a handshake may take.
const suspectFor = time.Second

// suspect tells in a while that the peer is no weft peer, unless it turns out to
// be one.
func (l *link) suspect() {
	l.m.spawn(func() {
		timer := time.NewTimer(suspectFor)
		defer timer.Stop()
		select {
		case <-l.ctx.Done():
			return
		case <-timer.C:
		}
		now, err := l.m.host.Peerstore().GetProtocols(l.peer)
		if err == nil && !l.m.speaks(now) {
			l.markPlain()
		}
	})
}

// watchIdentify learns from identify who may not speak the first protocol.
func (m *messenger) watchIdentify() error {
	sub, err := m.host.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted),
		eventbus.BufSize(busBuffer), eventbus.Name("weft messages"))
	if err != nil {
		return err
	}
	m.workers.Go(func() {
		defer sub.Close()
		for {
			select {
			case <-m.ctx.Done():
				return
			case ev, ok := <-sub.Out():
				if !ok {
					return
				}
				m.identified(ev.(event.EvtPeerIdentificationCompleted))
			}
		}
	})
	return nil
}

func (m *messenger) identified(ev event.EvtPeerIdentificationCompleted) {
	if m.speaks(ev.Protocols) {
		return
	}
	m.mu.Lock()
	l := m.links[ev.Peer]
	if l == nil && ev.Conn != nil && !ev.Conn.IsClosed() { // then up is still to come
		m.early[ev.Conn] = struct{}{}
	}
	m.mu.Unlock()
	if l != nil {
		l.suspect()
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
