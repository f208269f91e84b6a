package libp2phost

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	tptu "github.com/libp2p/go-libp2p/p2p/net/upgrader"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/quic-go/quic-go"
)

// The pinned TLS parameters, after the libp2p TLS specification. The suite set
// is all of TLS 1.3's usual ones: pinning a single one would split networks of
// CPUs with and without AES instructions.
var (
	pinnedSuites = []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256}
	tcpALPN      = []string{string(yamux.ID), alpnLibp2p}
	quicALPN     = []string{alpnLibp2p}
)

const alpnLibp2p = "libp2p"

// checkTLS says what is wrong with the parameters of a finished handshake. The
// leaf is libp2p's throwaway certificate: the identity is the host key in it,
// which libp2p verifies.
func checkTLS(cs tls.ConnectionState, alpn []string) error {
	if cs.Version != tls.VersionTLS13 {
		return fmt.Errorf("TLS version is %s, not 1.3", tls.VersionName(cs.Version))
	}
	if !slices.Contains(pinnedSuites, cs.CipherSuite) {
		return fmt.Errorf("cipher suite %s is not in the pinned set", tls.CipherSuiteName(cs.CipherSuite))
	}
	if !slices.Contains(alpn, cs.NegotiatedProtocol) {
		return fmt.Errorf("ALPN is %q, not one of %q", cs.NegotiatedProtocol, alpn)
	}
	if len(cs.PeerCertificates) != 1 {
		return fmt.Errorf("%d certificates were sent, not 1", len(cs.PeerCertificates))
	}
	return checkLeaf(cs.PeerCertificates[0])
}

func checkLeaf(leaf *x509.Certificate) error {
	key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return fmt.Errorf("leaf key is %s, not ECDSA P-256", leaf.PublicKeyAlgorithm)
	}
	if key.Curve != elliptic.P256() {
		return fmt.Errorf("leaf key is on curve %s, not P-256", key.Curve.Params().Name)
	}
	if leaf.SignatureAlgorithm != x509.ECDSAWithSHA256 {
		return fmt.Errorf("leaf is signed with %s, not ECDSA-SHA256", leaf.SignatureAlgorithm)
	}
	return nil
}

func tlsRefusal(err error) *refusal {
	return &refusal{ReasonTLS, "TLS parameters outside of the pinned set: " + err.Error()}
}

const (
	// handshakesAtOnce is how many of our dials may be in their TLS handshake. Chosen
	// because more only compete for the CPU: each then takes so long that the other
	// side dials as well.
	handshakesAtOnce = 2

	// handshakePatience is how long a dial waits for its turn, and then goes on all
	// the same: a peer that stalls its handshake must not hold up others for long.
	handshakePatience = time.Second
)

// errSuperseded ends a dial whose peer has dialled us meanwhile.
var errSuperseded = errors.New("the peer has dialled us meanwhile")

// pinnedTLS is libp2p's TLS transport for TCP, with our check after its handshake.
type pinnedTLS struct {
	sec.SecureTransport
	refused  *refusals
	needless func(peer.ID) bool // a dial to the peer has nothing left to do
	turns    chan struct{}      // has an item for each of our handshakes under way
}

// tlsConstructor is what libp2p.Security takes.
func tlsConstructor(refused *refusals, needless func(peer.ID) bool) any {
	return func(id protocol.ID, key crypto.PrivKey, muxers []tptu.StreamMuxer) (*pinnedTLS, error) {
		inner, err := libp2ptls.New(id, key, muxers)
		return &pinnedTLS{inner, refused, needless, make(chan struct{}, handshakesAtOnce)}, err
	}
}

// turn waits for our turn to make a handshake; done ends it.
func (t *pinnedTLS) turn(ctx context.Context) (done func()) {
	patience := time.NewTimer(handshakePatience)
	defer patience.Stop()
	select {
	case t.turns <- struct{}{}:
		return func() { <-t.turns }
	case <-patience.C:
	case <-ctx.Done():
	}
	return func() {}
}

func (t *pinnedTLS) SecureInbound(ctx context.Context, raw net.Conn, p peer.ID) (sec.SecureConn, error) {
	conn, err := t.SecureTransport.SecureInbound(ctx, raw, p)
	return t.checked(conn, err)
}

func (t *pinnedTLS) SecureOutbound(ctx context.Context, raw net.Conn, p peer.ID) (sec.SecureConn, error) {
	defer t.turn(ctx)()
	if t.needless(p) { // its connection is complete on both sides, ours has not begun
		return nil, errSuperseded
	}
	conn, err := t.SecureTransport.SecureOutbound(ctx, raw, p)
	return t.checked(conn, err)
}

func (t *pinnedTLS) checked(conn sec.SecureConn, err error) (sec.SecureConn, error) {
	if err != nil {
		return nil, err
	}
	state, ok := conn.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		_ = conn.Close()
		return nil, fmt.Errorf("%T shows no TLS state: the libp2p version does not fit", conn)
	}
	if err := checkTLS(state.ConnectionState(), tcpALPN); err != nil {
		why := tlsRefusal(err)
		t.refused.add(why, "peer", conn.RemotePeer(), "addr", conn.RemoteAddr())
		_ = conn.Close()
		return nil, why
	}
	return conn, nil
}

// checkQUIC is the same for a QUIC connection; others pass.
func checkQUIC(c network.Conn) *refusal {
	var conn *quic.Conn
	if !c.As(&conn) {
		return nil
	}
	if err := checkTLS(conn.ConnectionState().TLS, quicALPN); err != nil {
		return tlsRefusal(err)
	}
	return nil
}
