package admin

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// maxSocketPath is the longest path of a unix socket in bytes: sun_path of Linux
// (108, macOS 104) less its closing zero.
const maxSocketPath = 103

// address is where a server listens, in the terms of package net.
type address struct{ network, addr string }

func (a address) String() string {
	if a.network == "unix" {
		return "unix://" + a.addr
	}
	return a.addr
}

func parseAddr(s string) (address, error) {
	if path, isUnix := strings.CutPrefix(s, "unix:"); isUnix {
		return parseSocket(s, strings.TrimPrefix(path, "//"))
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return address{}, fmt.Errorf("%w: %q: write HOST:PORT, as %s, or unix:///PATH", ErrAddress, s, DefaultAddr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return address{}, fmt.Errorf("%w: %q: the port must be a number from 0 to 65535", ErrAddress, s)
	}
	return address{"tcp", net.JoinHostPort(host, port)}, nil
}

func parseSocket(s, path string) (address, error) {
	if path == "" {
		return address{}, fmt.Errorf("%w: %q names no file: write unix:///PATH", ErrAddress, s)
	}
	if len(path) > maxSocketPath {
		return address{}, fmt.Errorf("%w: the socket's path has %d bytes and the system takes %d: choose a shorter one, as unix:///run/weft.sock",
			ErrAddress, len(path), maxSocketPath)
	}
	return address{"unix", path}, nil
}
