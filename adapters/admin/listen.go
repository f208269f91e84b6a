package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// socketMode lets the node's own user in, nobody else.
const socketMode = 0o600

// answerTime is how long an existing socket has to take a connection before it
// counts as left behind; a live one takes it at once.
const answerTime = time.Second

// open listens on an address. A bind that other machines can reach is refused
// unless it may be exposed.
func open(a address, mayExpose bool) (net.Listener, error) {
	if a.network == "unix" {
		return openSocket(a)
	}
	if !mayExpose {
		if err := checkLoopback(a.addr); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen(a.network, a.addr)
	if err != nil {
		return nil, explainListen(a, err)
	}
	return l, nil
}

// checkLoopback looks at what a name stands for before anything is bound.
func checkLoopback(hostport string) error {
	t, err := net.ResolveTCPAddr("tcp", hostport)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAddress, err)
	}
	if !t.IP.IsLoopback() {
		return fmt.Errorf("%w: %s can be reached from other machines: set a token, or listen on 127.0.0.1 or a unix socket", ErrExposed, hostport)
	}
	return nil
}

func explainListen(a address, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: %s: another weft node may be running: stop it, or choose another address (port 0 picks a free one)", ErrAddrInUse, a)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w: %s is no address of this machine: use 127.0.0.1 or one that `ip addr` shows", ErrAddress, a)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w: uid %d may not listen on %s: choose a port above 1023, or a path it may write to", ErrAddress, os.Getuid(), a)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: the directory of %s does not exist: create it first", ErrAddress, a)
	}
	return fmt.Errorf("%w: %s: %w", ErrAddress, a, err)
}

// socket is a unix listener that removes its own file, and no later one's.
type socket struct {
	*net.UnixListener
	path string
	file os.FileInfo
}

func openSocket(a address) (net.Listener, error) {
	if err := clearSocket(a); err != nil {
		return nil, err
	}
	cfg := net.ListenConfig{Control: restrict}
	l, err := cfg.Listen(context.Background(), a.network, a.addr)
	if err != nil {
		return nil, explainListen(a, err)
	}
	u := l.(*net.UnixListener)
	u.SetUnlinkOnClose(false)
	err = os.Chmod(a.addr, socketMode)
	file, statErr := os.Lstat(a.addr)
	if err := errors.Join(err, statErr); err != nil {
		return nil, errors.Join(explainListen(a, err), u.Close())
	}
	return &socket{u, a.addr, file}, nil
}

// restrict sets the mode before the file exists, so that there is no moment at
// which others could connect. Where the system refuses (not on Linux), the chmod
// after it does.
func restrict(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), socketMode) })
}

// clearSocket removes a socket that a killed node left behind. One that takes
// connections, or a file of another kind, is left alone.
func clearSocket(a address) error {
	info, err := os.Lstat(a.addr)
	if err != nil {
		return nil //nolint:nilerr // what is wrong with the path, listening will tell
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%w: %s exists and is not a socket: choose another path, or remove it", ErrAddress, a.addr)
	}
	conn, err := net.DialTimeout("unix", a.addr, answerTime)
	switch {
	case err == nil:
		_ = conn.Close()
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(a.addr)
	case errors.Is(err, syscall.EACCES):
		return explainListen(a, err)
	}
	return explainListen(a, syscall.EADDRINUSE)
}

func (s *socket) Close() error {
	err := s.UnixListener.Close()
	if now, statErr := os.Lstat(s.path); statErr == nil && os.SameFile(s.file, now) {
		err = errors.Join(err, os.Remove(s.path))
	}
	return err
}
