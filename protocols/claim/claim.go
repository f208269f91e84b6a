package claim

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	"github.com/multiformats/go-multiaddr"

	"github.com/weftnet/weft/protocols/core"
)

// ErrInvalid is wrapped by errors of Seal: what our own node wanted to say
// breaks a bound.
var ErrInvalid = errors.New("claim cannot be signed")

// Claim says where a peer of a network can be reached, and for how long that
// holds. It is a record.Record: any libp2p node can open the envelope.
type Claim struct {
	Network string
	Peer    core.PeerID
	Time    time.Time // in milliseconds
	Expiry  time.Time
	Addrs   []multiaddr.Multiaddr // without /p2p
}

// Domain is the envelope's signature domain.
func (*Claim) Domain() string { return Domain }

// Codec is the envelope's payload type.
func (*Claim) Codec() []byte { return codec }

// MarshalRecord writes the claim in its one form; the order of Addrs is lost.
func (c *Claim) MarshalRecord() ([]byte, error) {
	addrs := make([][]byte, len(c.Addrs))
	for i, a := range c.Addrs {
		addrs[i] = a.Bytes()
	}
	slices.SortFunc(addrs, bytes.Compare)
	addrs = slices.CompactFunc(addrs, bytes.Equal)
	return appendPayload(nil, c.Network, string(c.Peer), c.Time.UnixMilli(), c.Expiry.UnixMilli(), addrs), nil
}

// UnmarshalRecord reads a claim and refuses any other form.
func (c *Claim) UnmarshalRecord(payload []byte) error {
	v, err := peekPayload(payload)
	if err != nil {
		return err
	}
	*c = Claim{
		Network: string(v.network), Peer: core.PeerID(v.peer),
		Time: time.UnixMilli(v.time), Expiry: time.UnixMilli(v.expiry),
	}
	for cur := (cursor{rest: v.addrs}); !cur.end(); {
		a, err := multiaddr.NewMultiaddrBytes(cur.bytes(5))
		if err != nil {
			return fmt.Errorf("%w: %w", Malformed, err)
		}
		c.Addrs = append(c.Addrs, a)
	}
	return nil
}

// Signed is a claim whose signature is good: only Seal and Verify make one.
type Signed struct {
	Peer   core.PeerID
	Time   time.Time
	Expiry time.Time
	raw    []byte
}

// Bytes is the envelope, to be sent as it is. It must not be changed.
func (s Signed) Bytes() []byte { return s.raw }

// Network is the network that the claim was made for.
func (s Signed) Network() string {
	v, err := peek(s.raw)
	if err != nil { // the zero value
		return ""
	}
	return string(v.network)
}

// Claim is the claim with its addresses.
func (s Signed) Claim() Claim {
	var c Claim
	if v, err := peek(s.raw); err == nil {
		_ = c.UnmarshalRecord(v.payload) // it was read before
	}
	return c
}

// Verify reads an envelope and checks its signature. It needs no book and may
// run on any goroutine. The error is a Reason.
func Verify(raw []byte) (Signed, error) {
	v, err := peek(raw)
	if err != nil {
		return Signed{}, err
	}
	if _, err := record.ConsumeTypedEnvelope(raw, &opaque{}); err != nil {
		if errors.Is(err, record.ErrInvalidSignature) {
			return Signed{}, Forged
		}
		return Signed{}, fmt.Errorf("%w: %w", Malformed, err)
	}
	return newSigned(v, raw), nil
}

// opaque is a claim whose payload is left alone: peek has read it.
type opaque struct{ Claim }

func (*opaque) UnmarshalRecord([]byte) error { return nil }

// newSigned keeps a copy of the bytes: they may be part of a large message.
func newSigned(v view, raw []byte) Signed {
	return Signed{
		Peer: core.PeerID(v.peer), Time: time.UnixMilli(v.time), Expiry: time.UnixMilli(v.expiry),
		raw: bytes.Clone(raw),
	}
}

// Seal signs a claim with the key of its peer.
func Seal(c Claim, key crypto.PrivKey) (Signed, error) {
	self, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return Signed{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if self != c.Peer {
		return Signed{}, fmt.Errorf("%w: it names %s, but the key is that of %s", ErrInvalid, c.Peer, self)
	}
	env, err := record.Seal(&c, key)
	if err != nil {
		return Signed{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	raw, err := env.Marshal()
	if err != nil {
		return Signed{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	v, err := peek(raw)
	if err != nil {
		return Signed{}, fmt.Errorf("%w: others would refuse it: check that the key is Ed25519, the network name has 1 to %d bytes, the expiry is within %v, and the at most %d addresses are /ip4 or /ip6 with /tcp or /udp/…/quic-v1",
			ErrInvalid, MaxNetwork, Lifetime, MaxAddrs)
	}
	return newSigned(v, raw), nil
}
