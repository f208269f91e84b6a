package claim

import (
	"bytes"
	"encoding/binary"

	"github.com/multiformats/go-multiaddr"
)

// Usable says whether a claim can hold an address: /ip4 or /ip6, then /tcp or
// /udp/…/quic-v1, one host and one port.
func Usable(a multiaddr.Multiaddr) bool { return usable(a.Bytes()) }

// usable is Usable on the binary form, which a peer may have sent: it must not
// allocate.
func usable(b []byte) bool {
	ip, transport := splitIP(b)
	if ip == nil || !unicast(ip) {
		return false
	}
	port, ok := bytes.CutPrefix(transport, tcp)
	if !ok {
		if port, ok = bytes.CutPrefix(transport, udp); !ok {
			return false
		}
		if port, ok = bytes.CutSuffix(port, quicV1); !ok {
			return false
		}
	}
	return len(port) == 2 && binary.BigEndian.Uint16(port) != 0
}

var (
	tcp    = binary.AppendUvarint(nil, multiaddr.P_TCP)
	udp    = binary.AppendUvarint(nil, multiaddr.P_UDP)
	quicV1 = binary.AppendUvarint(nil, multiaddr.P_QUIC_V1)
)

// splitIP takes the leading IP address off a binary multiaddr. The codes of both
// versions are one byte.
func splitIP(b []byte) (ip, rest []byte) {
	switch {
	case len(b) > 4 && b[0] == multiaddr.P_IP4:
		return b[1:5], b[5:]
	case len(b) > 16 && b[0] == multiaddr.P_IP6:
		return b[1:17], b[17:]
	}
	return nil, nil
}

// unicast is true for what one host can have: not 0.0.0.0, not multicast, not
// broadcast, and IPv4 only in its own form, so that a rule about an address sees it.
func unicast(ip []byte) bool {
	if len(ip) == 4 {
		return ip[0] != 0 && ip[0] < 224
	}
	unspecified := bytes.Count(ip, []byte{0}) == len(ip)
	return !unspecified && ip[0] != 0xff && !bytes.HasPrefix(ip, mapped)
}

// mapped begins an IPv4 address in the form of IPv6 (RFC 4291, 2.5.5.2).
var mapped = append(make([]byte, 10), 0xff, 0xff)
