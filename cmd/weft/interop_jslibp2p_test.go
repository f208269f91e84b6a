//go:build interop

package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const jsLibp2p = "js-libp2p 3.3.11"

func TestInteropJSDials(t *testing.T) {
	node := startWeft(t)
	for _, speak := range []string{"tls", "noise"} {
		t.Run(speak, func(t *testing.T) {
			got := runScript(t, "dial.mjs", node.tcp, speak).want("connected")
			checkIdentified(t, node, got)
			if !strings.HasPrefix(got.Security, "/"+speak) || got.Muxer != "/yamux/1.0.0" {
				t.Fatalf("connection speaks %s and %s", got.Security, got.Muxer)
			}
			shown(t, "%s dials weft over %s and %s; identify says %s; ping answers in %v ms",
				jsLibp2p, got.Security, got.Muxer, got.Agent, got.RTT)
		})
		t.Run(speak+" wrong peer ID", func(t *testing.T) {
			got := runScript(t, "dial.mjs", node.impostor(t), speak).want("refused")
			if got.Name != "EncryptionFailedError" {
				t.Fatalf("dial failed for another reason: %s: %s", got.Name, got.Reason)
			}
			shown(t, "%s over %s refuses weft under a wrong peer ID (%s)", jsLibp2p, speak, got.Reason)
		})
	}
}

// checkIdentified wants weft's agent and the protocols that others rely on.
func checkIdentified(t *testing.T, node *weftNode, got scriptEvent) {
	t.Helper()
	if got.ID != node.id.String() || !strings.HasPrefix(got.Agent, "weft/") {
		t.Fatalf("identify says %s %q, want %s and an agent weft/…", got.ID, got.Agent, node.id)
	}
	for _, protocol := range plainProtocols {
		if !slices.Contains(got.Protocols, protocol) {
			t.Fatalf("identify lists %v, without %s", got.Protocols, protocol)
		}
	}
}

// plainProtocols are what any libp2p peer may use on a weft node.
var plainProtocols = []string{"/ipfs/id/1.0.0", "/ipfs/ping/1.0.0", "/meshsub/1.1.0", "/weft/weft/kad/1.0.0"}

func TestInteropJSIsDialled(t *testing.T) {
	node := startWeft(t)
	for _, speak := range []string{"tls", "noise"} {
		t.Run(speak, func(t *testing.T) {
			script := runScript(t, "listen.mjs", speak)
			addr, id := onlyAddr(t, script)
			node.mustRefuse(t, addr)
			node.run(t, "connect", addr)
			got := script.want("accepted")
			if got.ID != node.id.String() || got.Direction != "inbound" || !strings.HasPrefix(got.Security, "/"+speak) {
				t.Fatalf("js-libp2p accepted %+v", got)
			}
			node.run(t, "ping", "--count", "1", id)
			node.eventually(t, "js-libp2p", "peers", "-o", "json")
			shown(t, "`weft connect` reaches %s over %s, refuses it under a wrong peer ID; `weft ping` answers", jsLibp2p, got.Security)
		})
	}
}

func onlyAddr(t *testing.T, script *script) (addr, id string) {
	t.Helper()
	listening := script.want("listening")
	if len(listening.Addrs) != 1 {
		t.Fatalf("listens on %v, want one address", listening.Addrs)
	}
	return listening.Addrs[0], listening.ID
}

func TestInteropJSDHT(t *testing.T) {
	node := startWeft(t)
	script := runScript(t, "dht.mjs", node.tcp)
	joined := script.want("joined")

	found := script.want("found")
	if found.ID != joined.Hidden {
		t.Fatalf("found %s, want %s", found.ID, joined.Hidden)
	}
	transport, _, _ := strings.Cut(joined.Addrs[0], "/p2p/")
	if !slices.Contains(found.Multiaddrs, transport) {
		t.Fatalf("found at %v, want %s", found.Multiaddrs, transport)
	}
	shown(t, "%s finds a peer through weft's DHT (/weft/weft/kad/1.0.0)", jsLibp2p)

	closest := script.want("closest")
	if !slices.Contains(closest.IDs, node.id.String()) {
		t.Fatalf("closest peers are %v, without the weft node", closest.IDs)
	}
	shown(t, "%s walks to the %d closest peers, the weft node among them", jsLibp2p, len(closest.IDs))

	node.mustSay(t, []string{transport}, "find", joined.Hidden)
	node.mustSay(t, []string{joined.Hidden, joined.Seeker}, "closest", joined.Hidden)
	shown(t, "`weft find` and `weft closest` name the %s peers", jsLibp2p)
}

func TestInteropJSGossip(t *testing.T) {
	testGossip(t, jsLibp2p, func(t *testing.T, node *weftNode) gossiper {
		peer := &jsGossiper{script: runScript(t, "pubsub.mjs", node.tcp, "tls", interopTopic)}
		peer.id = peer.want("ready").ID
		return peer
	})
}

// jsGossiper is pubsub.mjs as a gossiper.
type jsGossiper struct {
	*script
	id string
}

func (g *jsGossiper) ID() string { return g.id }

func (g *jsGossiper) Publish(text string) { g.command(map[string]string{"publish": text}) }

func (g *jsGossiper) Next(ctx context.Context) (heard, error) {
	e, err := g.await(ctx, "message")
	return e.heard, err
}

// scriptEvent is one line a script reports; each event fills what it knows.
type scriptEvent struct {
	heard
	Event             string
	ID                string
	Security, Muxer   string
	Direction, Agent  string
	Protocols         []string
	RTT               float64
	Name, Reason      string
	Hidden, Seeker    string
	Addrs, Multiaddrs []string
	IDs               []string
}

// script is a running js-libp2p script.
type script struct {
	t      *testing.T
	stdin  io.WriteCloser
	events chan scriptEvent
	log    syncBuffer
}

// runScript starts a script of testdata/interop/js and ends it with the test.
func runScript(t *testing.T, name string, args ...string) *script {
	t.Helper()
	cmd := exec.Command("node", append([]string{name}, args...)...)
	cmd.Dir = scriptDir(t)
	s := &script{t: t, events: make(chan scriptEvent, 1024)} // more than any scenario reports
	cmd.Stderr = &s.log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: js-libp2p needs Node 20 or newer and npm", err)
	}
	s.stdin = stdin
	read := make(chan struct{})
	go func() { defer close(read); s.read(stdout) }()
	t.Cleanup(func() { s.stop(cmd, read) })
	return s
}

// scriptDir is a copy of the scripts beside the installed packages.
func scriptDir(t *testing.T) string {
	t.Helper()
	modules := built(t, nodeModules)
	dir := t.TempDir()
	scripts, err := filepath.Glob(filepath.Join(interopDir, "js", "*.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range scripts {
		if err := copyFile(file, filepath.Join(dir, filepath.Base(file))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (s *script) read(stdout io.Reader) {
	defer close(s.events)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var e scriptEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			s.t.Errorf("script printed %q: %v", lines.Text(), err)
			return
		}
		s.events <- e
	}
}

// want is await for the test's own goroutine.
func (s *script) want(name string) scriptEvent {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), stepTimeout)
	defer cancel()
	e, err := s.await(ctx, name)
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

// await waits for an event of this name and skips others.
func (s *script) await(ctx context.Context, name string) (scriptEvent, error) {
	for {
		select {
		case e, ok := <-s.events:
			switch {
			case !ok:
				return e, fmt.Errorf("script ended without %q:\n%s", name, &s.log)
			case e.Event == name:
				return e, nil
			case e.Event == "refused":
				return e, fmt.Errorf("want %q, dial refused: %s: %s", name, e.Name, e.Reason)
			}
		case <-ctx.Done():
			return scriptEvent{}, fmt.Errorf("no %q: %w:\n%s", name, ctx.Err(), &s.log)
		}
	}
}

func (s *script) command(v any) {
	s.t.Helper()
	if err := json.NewEncoder(s.stdin).Encode(v); err != nil {
		s.t.Fatalf("script takes no commands: %v:\n%s", err, &s.log)
	}
}

// stop closes stdin, which every script takes as its end.
func (s *script) stop(cmd *exec.Cmd, read <-chan struct{}) {
	_ = s.stdin.Close()
	kill := time.AfterFunc(stepTimeout, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	<-read
	if err := cmd.Wait(); err != nil {
		s.t.Errorf("script %v: %v\n%s", cmd.Args, err, &s.log)
	}
}
