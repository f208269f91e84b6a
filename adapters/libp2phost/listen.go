package libp2phost

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// What can be wrong with a listen address. Every error names it and what to do.
var (
	ErrAddrInUse      = errors.New("address is in use")
	ErrAddrForbidden  = errors.New("address may not be used")
	ErrAddrNotOurs    = errors.New("address is not of this machine")
	ErrAddrNotListens = errors.New("address cannot be listened on")
)

// listenAll listens on every address. libp2p would be content with one.
func listenAll(n network.Network, addrs []ma.Multiaddr, log *slog.Logger) error {
	var listening int
	for _, a := range addrs {
		err := n.(interface{ AddListenAddr(ma.Multiaddr) error }).AddListenAddr(a)
		if err != nil && noIPv6(a, err) && len(addrs) > 1 {
			log.Warn("not listening: this machine has no IPv6", "addr", a)
			continue
		}
		if err != nil {
			return listenError(a, err)
		}
		listening++
	}
	if listening == 0 && len(addrs) > 0 {
		return fmt.Errorf("%w: %s: this machine has no IPv6; listen on /ip4 addresses too", ErrAddrNotListens, addrs)
	}
	return nil
}

// noIPv6 says that the wildcard address failed because there is no IPv6 at all,
// as in most containers: nothing is missing then.
func noIPv6(a ma.Multiaddr, err error) bool {
	if !manet.IsIPUnspecified(a) || !strings.HasPrefix(a.String(), "/ip6/") {
		return false
	}
	return errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL) ||
		strings.Contains(err.Error(), "no suitable address found") // net: IPv6 is switched off
}

func listenError(a ma.Multiaddr, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: %s: another process (another weft?) listens there; choose another port, or let the system choose: --listen %s",
			ErrAddrInUse, a, withPortZero(a))
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return fmt.Errorf("%w: %s: ports below 1024 need privileges; choose another port, or let the system choose: --listen %s",
			ErrAddrForbidden, a, withPortZero(a))
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w: %s: listen on an address that `ip addr` shows, or on all: --listen /ip4/0.0.0.0/tcp/0", ErrAddrNotOurs, a)
	}
	return fmt.Errorf("%w: %s: %w: use forms such as --listen /ip4/0.0.0.0/tcp/0 or /ip4/0.0.0.0/udp/0/quic-v1", ErrAddrNotListens, a, err)
}

// withPortZero is the address with a port that the system chooses.
func withPortZero(a ma.Multiaddr) string {
	parts := strings.Split(a.String(), "/")
	for i, part := range parts[:len(parts)-1] {
		if part == "tcp" || part == "udp" {
			parts[i+1] = "0"
		}
	}
	return strings.Join(parts, "/")
}
