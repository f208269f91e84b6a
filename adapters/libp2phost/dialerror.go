package libp2phost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
)

// DialError says, for people, why a peer could not be reached.
type DialError struct {
	Peer   peer.ID
	Reason string
	Err    error // libp2p's own error; may be nil
}

func (e *DialError) Error() string {
	if e.Peer == "" {
		return "cannot connect: " + e.Reason
	}
	return fmt.Sprintf("cannot connect to %s: %s", e.Peer, e.Reason)
}

func (e *DialError) Unwrap() error { return e.Err }

// maxReasons is how many addresses a reason names; more would be a wall of text.
const maxReasons = 3

// newDialError explains an error of the swarm. denied is our own gater's reason,
// if it was involved.
func newDialError(p peer.ID, err error, denied *refusal, timeout time.Duration) *DialError {
	return &DialError{Peer: p, Err: err, Reason: dialReason(err, denied, timeout)}
}

func dialReason(err error, denied *refusal, timeout time.Duration) string {
	var failed *swarm.DialError
	switch {
	case errors.Is(err, swarm.ErrDialToSelf):
		return "it is this node itself"
	case denied != nil && gated(err):
		return "refused by this node: " + denied.text
	case errors.Is(err, swarm.ErrNoAddresses):
		return "no address of it is known"
	case errors.As(err, &failed) && len(failed.DialErrors) > 0:
		return addressReasons(failed.DialErrors, denied)
	case errors.Is(err, swarm.ErrNoGoodAddresses):
		return "none of its addresses can be dialled: a name that does not resolve, or a transport that is not TCP or QUIC v1"
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %v", timeout)
	case errors.Is(err, context.Canceled), errors.Is(err, swarm.ErrSwarmClosed):
		return "this node is stopping"
	}
	return err.Error()
}

// gated says whether our own gater was all that hindered a dial.
func gated(err error) bool {
	var failed *swarm.DialError
	if !errors.As(err, &failed) || len(failed.DialErrors) == 0 {
		return errors.Is(err, swarm.ErrGaterDisallowedConnection)
	}
	return !slices.ContainsFunc(failed.DialErrors, func(e swarm.TransportError) bool {
		return !errors.Is(e.Cause, swarm.ErrGaterDisallowedConnection)
	})
}

// addressReasons says what happened at each address.
func addressReasons(errs []swarm.TransportError, denied *refusal) string {
	reasons := make([]string, 0, maxReasons+1)
	for i, e := range errs {
		if i == maxReasons {
			reasons = append(reasons, fmt.Sprintf("and %d more addresses", len(errs)-i))
			break
		}
		reasons = append(reasons, fmt.Sprintf("%s: %s", e.Address, addressReason(e.Address, e.Cause, denied)))
	}
	return strings.Join(reasons, "; ")
}

func addressReason(addr ma.Multiaddr, err error, denied *refusal) string {
	var other sec.ErrPeerIDMismatch
	var why *refusal
	switch {
	case errors.As(err, &other):
		return fmt.Sprintf("another peer answers there: %s", other.Actual)
	case denied != nil && errors.Is(err, swarm.ErrGaterDisallowedConnection):
		return "refused by this node: " + denied.text
	case errors.As(err, &why):
		return "refused by this node: " + why.text
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused: nobody listens there"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no route there"
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return "no answer in time"
	case errors.Is(err, network.ErrReset), errors.Is(err, syscall.ECONNRESET):
		return "the peer closed the connection: it may be full, or refuse us"
	}
	return err.Error()
}

// maxDenials bounds the reasons kept for dials that failed in the gater.
const maxDenials = 256

// denials are why the gater refused dials, until the dials' ends ask for it.
type denials struct {
	mu   sync.Mutex
	list map[peer.ID]*refusal
}

func (d *denials) add(p peer.ID, why *refusal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.list) >= maxDenials { // of dials that nobody asked about, such as the DHT's
		clear(d.list)
	}
	d.list[p] = why
}

// take returns the reason, nil when there is none, and forgets it.
func (d *denials) take(p peer.ID) *refusal {
	d.mu.Lock()
	defer d.mu.Unlock()
	why := d.list[p]
	delete(d.list, p)
	return why
}
