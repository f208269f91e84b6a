package main

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/weftnet/weft/adapters/admin"
	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

// probeLimit bounds one question to the API; chosen because a loopback answer
// takes milliseconds.
const probeLimit = 3 * time.Second

func (a *app) checkAPI(ctx context.Context) finding {
	c, err := a.dial()
	if err != nil {
		return failure("", "%v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	id, err := c.api.Id(ctx, &weftv1.IdRequest{})
	switch {
	case errors.Is(err, admin.ErrUnreachable):
		return warning("start one by `weft run`, if there should be one", "no daemon answers at %s", a.values.Text("api"))
	case err != nil:
		return failure("", "%v", err)
	}
	return fine("%s answers at %s", shortID(id.GetPeerId()), a.values.Text("api"))
}

// checkListen tries to take the port. While a daemon runs here, a taken port is
// most likely its own.
func checkListen(listen string, running bool) finding {
	addr, err := multiaddr.NewMultiaddr(listen)
	if err != nil {
		return failure("", "%v", err)
	}
	network, host, err := dialArgs(addr)
	if err != nil {
		return warning("", "%s is of a kind that cannot be tried", listen)
	}
	taken := tryListen(network, host)
	switch {
	case taken == nil:
		return fine("%s is free", listen)
	case errors.Is(taken, syscall.EADDRINUSE) && running:
		return fine("%s is taken, by the running daemon it seems", listen)
	case errors.Is(taken, syscall.EADDRINUSE):
		return failure("end the program that has it (`ss -lntup`), or choose another port by --listen", "%s is in use", listen)
	case errors.Is(taken, syscall.EAFNOSUPPORT), errors.Is(taken, syscall.EADDRNOTAVAIL):
		return warning("leave this address out by --listen", "%s is no address of this machine", listen)
	}
	return failure("choose another address by --listen", "%s: %v", listen, taken)
}

// dialArgs takes a QUIC address for the UDP port it sits on.
func dialArgs(addr multiaddr.Multiaddr) (network, host string, err error) {
	base, _ := multiaddr.SplitFunc(addr, func(c multiaddr.Component) bool { return c.Protocol().Code == multiaddr.P_QUIC_V1 })
	return manet.DialArgs(base)
}

func tryListen(network, host string) error {
	var l io.Closer
	var err error
	if strings.HasPrefix(network, "udp") {
		l, err = net.ListenPacket(network, host)
	} else {
		l, err = net.Listen(network, host)
	}
	if err != nil {
		return err
	}
	return l.Close()
}

// A clock before the release of this program's dependencies is wrong for sure.
var earliest = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func checkClock(now time.Time) finding {
	const remedy = "set the clock, or start an NTP service: peers refuse who is more than a minute off"
	if now.Before(earliest) {
		return failure(remedy, "it says %s, which is past", now.Format(time.DateOnly))
	}
	if synced, known := clockSynced(); known && !synced {
		return warning(remedy, "it says %s; the kernel does not know it to be synchronised", now.Format(time.RFC3339))
	}
	return fine("it says %s", now.Format(time.RFC3339))
}
