//go:build interop

package main_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// interopTopic is the raw topic that every node under test joins.
	interopTopic = "interop"
	// stepTimeout bounds one step of a scenario. Chosen because the slowest, a
	// DHT query by js-libp2p, takes seconds on a busy machine.
	stepTimeout = 30 * time.Second
	// pollInterval paces what can only be asked for again.
	pollInterval = 100 * time.Millisecond
)

// weftNode is a running `weft run` process.
type weftNode struct {
	binary   string
	id       peer.ID
	tcp, udp string // full multiaddrs
	api      string
	log      *syncBuffer
}

// startWeft runs a node on loopback until the test ends. The API is on a unix
// socket because its name is known before the node is up.
func startWeft(t *testing.T) *weftNode {
	t.Helper()
	dir, err := os.MkdirTemp("", "weft") // short: a socket path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	n := &weftNode{binary: built(t, weftBinary), api: "unix://" + filepath.Join(dir, "api"), log: new(syncBuffer)}
	printed := n.spawn(t, "run", "--ephemeral", "--api", n.api, "--topic", interopTopic,
		"--listen", "/ip4/127.0.0.1/tcp/0", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1")
	for n.tcp == "" || n.udp == "" {
		select {
		case addr := <-printed:
			n.learn(t, addr)
		case <-time.After(stepTimeout):
			t.Fatalf("weft run printed no address within %v; its log:\n%s", stepTimeout, n.log)
		}
	}
	return n
}

// learn takes one line that `weft run` has printed: a full multiaddr of the node.
func (n *weftNode) learn(t *testing.T, addr string) {
	t.Helper()
	info, err := peer.AddrInfoFromString(addr)
	if err != nil {
		t.Fatalf("weft run printed %q: %v; its log:\n%s", addr, err, n.log)
	}
	n.id = info.ID
	if strings.Contains(addr, "/tcp/") {
		n.tcp = addr
	} else {
		n.udp = addr
	}
}

// spawn starts weft until the test ends and yields the lines that it prints,
// then empty ones when it has ended.
func (n *weftNode) spawn(t *testing.T, args ...string) <-chan string {
	t.Helper()
	cmd := n.command(context.Background(), args...)
	cmd.Stderr = n.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	printed := make(chan string, 64) // more lines than a node prints
	go func() {
		defer close(printed)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			printed <- lines.Text()
		}
	}()
	t.Cleanup(func() { n.stop(t, cmd, printed) })
	return printed
}

// stop ends the process by its ID: politely, then for good.
func (n *weftNode) stop(t *testing.T, cmd *exec.Cmd, printed <-chan string) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(stepTimeout, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	for range printed {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("weft run did not stop cleanly: %v", err)
	}
	if t.Failed() {
		t.Logf("log of weft run:\n%s", n.log)
	}
}

func (n *weftNode) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, n.binary, args...)
	cmd.Env = append(withoutWeft(os.Environ()), "WEFT_API="+n.api)
	return cmd
}

// withoutWeft drops the settings of whoever runs the tests.
func withoutWeft(env []string) []string {
	kept := env[:0:0]
	for _, v := range env {
		if !strings.HasPrefix(v, "WEFT_") {
			kept = append(kept, v)
		}
	}
	return kept
}

// try runs a weft command against the node.
func (n *weftNode) try(t *testing.T, args ...string) (stdout string, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), stepTimeout)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := n.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("weft %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// run is try for a command that must succeed.
func (n *weftNode) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := n.try(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// mustSay runs a weft command and wants all of these words in its output.
func (n *weftNode) mustSay(t *testing.T, words []string, args ...string) {
	t.Helper()
	out := n.run(t, args...)
	for _, word := range words {
		if !strings.Contains(out, word) {
			t.Fatalf("weft %s: no %q in:\n%s", strings.Join(args, " "), word, out)
		}
	}
}

// eventually runs a weft command until its output has the word: what the node
// knows of a peer lags behind what the peer knows of the node.
func (n *weftNode) eventually(t *testing.T, word string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stepTimeout)
	defer cancel()
	for tick := time.NewTicker(pollInterval); ; {
		out, err := n.try(t, args...)
		if err == nil && strings.Contains(out, word) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("weft %s: no %q within %v: %v\n%s", strings.Join(args, " "), word, stepTimeout, err, out)
		}
	}
}

// impostor is the node's TCP address with the peer ID of somebody else.
func (n *weftNode) impostor(t *testing.T) string { return withStranger(t, n.tcp) }

// mustRefuse wants `weft connect` to fail at the peer's address under a wrong
// peer ID, and to name who really answers there.
func (n *weftNode) mustRefuse(t *testing.T, addr string) {
	t.Helper()
	_, id, _ := strings.Cut(addr, "/p2p/")
	out, err := n.try(t, "connect", withStranger(t, addr))
	if err == nil || !strings.Contains(err.Error(), id) {
		t.Fatalf("weft connect under a wrong peer ID: %v, printed %q, want an error that names %s", err, out, id)
	}
}

func withStranger(t *testing.T, addr string) string {
	t.Helper()
	_, key, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := peer.IDFromPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	transport, _, _ := strings.Cut(addr, "/p2p/")
	return transport + "/p2p/" + stranger.String()
}

// shown says in one line what the test has just shown.
func shown(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Logf("SHOWN "+format, args...)
}

// syncBuffer collects what a process writes while the test may read it.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
