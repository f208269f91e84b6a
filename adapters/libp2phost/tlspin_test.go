package libp2phost

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	msmux "github.com/multiformats/go-multistream"
	"github.com/quic-go/quic-go"

	"github.com/weftnet/weft/protocols/core"
)

// leafWith makes a libp2p certificate around any leaf key.
func leafWith(t testing.TB, leaf crypto.Signer) tls.Certificate {
	t.Helper()
	ext, err := libp2ptls.GenerateSignedExtension(testKey(t), leaf.Public())
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{SerialNumber: "1"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtraExtensions: []pkix.Extension{ext},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, leaf.Public(), leaf)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: leaf, Leaf: parsed}
}

func ecLeaf(t testing.TB, curve elliptic.Curve) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return leafWith(t, key)
}

func TestTLSParametersOutsideThePinnedSetAreNamed(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256, p384, ed := ecLeaf(t, elliptic.P256()).Leaf, ecLeaf(t, elliptic.P384()).Leaf, leafWith(t, edKey).Leaf
	weak := *p256
	weak.SignatureAlgorithm = x509.ECDSAWithSHA1
	state := func(version, suite uint16, alpn string, certs ...*x509.Certificate) tls.ConnectionState {
		return tls.ConnectionState{Version: version, CipherSuite: suite, NegotiatedProtocol: alpn, PeerCertificates: certs}
	}
	const v13, aes = tls.VersionTLS13, tls.TLS_AES_128_GCM_SHA256
	for name, tc := range map[string]struct {
		state tls.ConnectionState
		alpn  []string
		want  string // "" passes
	}{
		"AES-128, early muxer": {state(v13, aes, yamux.ID, p256), tcpALPN, ""},
		"AES-256, late muxer":  {state(v13, tls.TLS_AES_256_GCM_SHA384, "libp2p", p256), tcpALPN, ""},
		"ChaCha20 on QUIC":     {state(v13, tls.TLS_CHACHA20_POLY1305_SHA256, "libp2p", p256), quicALPN, ""},
		"TLS 1.2":              {state(tls.VersionTLS12, aes, "libp2p", p256), tcpALPN, "TLS 1.2"},
		"AES-128-CCM":          {state(v13, 0x1304, "libp2p", p256), tcpALPN, "0x1304"},
		"TLS 1.2 suite":        {state(v13, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, "libp2p", p256), tcpALPN, "CBC"},
		"no ALPN":              {state(v13, aes, "", p256), tcpALPN, `ALPN is ""`},
		"foreign ALPN":         {state(v13, aes, "h2", p256), tcpALPN, `ALPN is "h2"`},
		"muxer ALPN on QUIC":   {state(v13, aes, yamux.ID, p256), quicALPN, "ALPN"},
		"no certificate":       {state(v13, aes, "libp2p"), tcpALPN, "0 certificates"},
		"two certificates":     {state(v13, aes, "libp2p", p256, p256), tcpALPN, "2 certificates"},
		"P-384 leaf":           {state(v13, aes, "libp2p", p384), tcpALPN, "P-384"},
		"Ed25519 leaf":         {state(v13, aes, "libp2p", ed), tcpALPN, "Ed25519"},
		"SHA-1 signature":      {state(v13, aes, "libp2p", &weak), tcpALPN, "SHA1"},
	} {
		err := checkTLS(tc.state, tc.alpn)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// clientTLS is what a peer offers that follows libp2p but for cert and ALPN.
func clientTLS(cert tls.Certificate, alpn ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, InsecureSkipVerify: true, // libp2p certificates are self-signed
		Certificates: []tls.Certificate{cert}, NextProtos: alpn,
	}
}

// dialTLS opens a TCP connection up to the end of the TLS handshake.
func dialTLS(t *testing.T, addr ma.Multiaddr, cfg *tls.Config) net.Conn {
	t.Helper()
	raw, err := manet.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	if err := msmux.SelectProtoOrFail(libp2ptls.ID, raw); err != nil {
		t.Fatal(err)
	}
	conn := tls.Client(raw, cfg)
	if err := conn.HandshakeContext(testContext(t)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestATCPPeerOutsideThePinnedSetIsRefusedAndCounted(t *testing.T) {
	for name, cfg := range map[string]*tls.Config{
		"P-384 leaf": clientTLS(ecLeaf(t, elliptic.P384()), yamux.ID),
		"no ALPN":    clientTLS(ecLeaf(t, elliptic.P256())),
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHost(t)
			conn := dialTLS(t, h.on("tcp").Addrs[0], cfg)
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the connection is kept: %v", err)
			}
			eventually(t, "the refusal is counted", func() bool { return h.Stats().Refused["tls"] == 1 })
			if n := h.NumPeers(); n != 0 {
				t.Errorf("%d peers", n)
			}
		})
	}
}

// The same client with nothing wrong gets in: otherwise the refusals above would
// prove nothing.
func TestATCPPeerWithinThePinnedSetIsAccepted(t *testing.T) {
	h := newTestHost(t)
	dialTLS(t, h.on("tcp").Addrs[0], clientTLS(ecLeaf(t, elliptic.P256()), yamux.ID))
	eventually(t, "the peer is connected", func() bool { return h.NumPeers() == 1 })
}

func TestAQUICPeerOutsideThePinnedSetIsRefusedAndCounted(t *testing.T) {
	for curve, wantPeers := range map[elliptic.Curve]int{elliptic.P384(): 0, elliptic.P256(): 1} {
		h := newTestHost(t)
		_, at, err := manet.DialArgs(h.on("quic-v1").Addrs[0])
		if err != nil {
			t.Fatal(err)
		}
		conn, err := quic.DialAddr(testContext(t), at, clientTLS(ecLeaf(t, curve), alpnLibp2p), nil)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the outcome is known", func() bool {
			return h.NumPeers() == wantPeers && h.Stats().Refused["tls"] == uint64(1-wantPeers)
		})
		if wantPeers == 0 {
			<-conn.Context().Done()
		}
		_ = conn.CloseWithError(0, "")
	}
}

func TestADialToAPeerOutsideThePinnedSetFailsWithTheReason(t *testing.T) {
	for name, listen := range map[string]func(*testing.T, tls.Certificate) ma.Multiaddr{"TCP": listenTCP, "QUIC": listenQUIC} {
		t.Run(name, func(t *testing.T) {
			cert := ecLeaf(t, elliptic.P384())
			id, err := idOf(cert)
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			h := newTestHost(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			h.Dial(id, []ma.Multiaddr{listen(t, cert)})
			got := await(t, h.events, func(f core.DialFailed) bool { return f.Peer == id })
			for _, said := range []string{got.Reason, log.String()} {
				if !strings.Contains(said, "P-384") || !strings.Contains(said, "pinned set") {
					t.Errorf("said %q", said)
				}
			}
			if n := h.Stats().Refused["tls"]; n != 1 || h.NumPeers() != 0 {
				t.Errorf("%d counted, %d peers", n, h.NumPeers())
			}
		})
	}
}

func listenTCP(t *testing.T, cert tls.Certificate) ma.Multiaddr {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		serveTLS(l, cert)
	}()
	t.Cleanup(func() { _ = l.Close(); <-served })
	addr, err := manet.FromNetAddr(l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func listenQUIC(t *testing.T, cert tls.Certificate) ma.Multiaddr {
	cfg := clientTLS(cert, alpnLibp2p)
	cfg.ClientAuth = tls.RequireAnyClientCert
	l, err := quic.ListenAddr("127.0.0.1:0", cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	addr, err := quicreuse.ToQuicMultiaddr(l.Addr(), quic.Version1)
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// serveTLS answers one dial as a libp2p TLS server with the given certificate.
func serveTLS(l net.Listener, cert tls.Certificate) {
	raw, err := l.Accept()
	if err != nil {
		return
	}
	defer raw.Close()
	mux := msmux.NewMultistreamMuxer[string]()
	mux.AddHandler(libp2ptls.ID, nil)
	if _, _, err := mux.Negotiate(raw); err != nil {
		return
	}
	cfg := clientTLS(cert, yamux.ID)
	cfg.ClientAuth = tls.RequireAnyClientCert
	conn := tls.Server(raw, cfg)
	if conn.Handshake() == nil {
		_, _ = conn.Read(make([]byte, 1)) // until the dialler hangs up
	}
}

func idOf(cert tls.Certificate) (peer.ID, error) {
	pub, err := libp2ptls.PubKeyFromCertChain([]*x509.Certificate{cert.Leaf})
	if err != nil {
		return "", err
	}
	return peer.IDFromPublicKey(pub)
}

func TestADialThatIsNotNeededAnyMoreMakesNoHandshake(t *testing.T) {
	tls := &pinnedTLS{turns: make(chan struct{}, 1), needless: func(p peer.ID) bool { return p == "here" }}
	if _, err := tls.SecureOutbound(t.Context(), nil, "here"); !errors.Is(err, errSuperseded) {
		t.Errorf("error = %v, want %v", err, errSuperseded)
	}
	if len(tls.turns) != 0 {
		t.Error("its turn is not over")
	}
}

func TestHandshakesTakeTurnsButAStalledOneHoldsUpNobodyForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tls := &pinnedTLS{turns: make(chan struct{}, handshakesAtOnce)}
		began := time.Now()
		for range handshakesAtOnce {
			tls.turn(t.Context())
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the first waited %v", waited)
		}
		tls.turn(t.Context())()
		if waited := time.Since(began); waited != handshakePatience {
			t.Errorf("the next one waited %v, want %v", waited, handshakePatience)
		}
	})
}
