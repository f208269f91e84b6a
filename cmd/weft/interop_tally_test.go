//go:build interop

package main_test

import (
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Two nodes whose applications are docs/examples/tally: they agree, an application that
// was away decides when it is back, and who sends a wrong entry is banned.
func TestInteropJSDecides(t *testing.T) {
	a := startNode(t, "--object-topic", "tally,external")
	b := startNode(t, "--object-topic", "tally,external", "--bootstrap", a.tcp)
	runTally(t, a)
	stopB := runTally(t, b)
	one := a.mustPut(t, `{"add": 5, "total": 5}`)
	b.eventually(t, "held", "object", "stat", one)
	two := b.mustPut(t, `{"add": 7, "total": 12}`, "--dep", one)
	a.eventually(t, "held", "object", "stat", two)
	if _, err := a.try(t, "object", "put", "tally", `{"add": 1, "total": 99}`, "--dep", two); err == nil || !strings.Contains(err.Error(), "12 and 1 make 13, not 99") {
		t.Fatalf("a wrong entry: %v", err)
	}
	shown(t, "an application in JavaScript decides about objects with nothing but HTTP; who puts a wrong one is told why")

	stopB()
	three := a.mustPut(t, `{"add": -2, "total": 10}`, "--dep", two)
	b.eventually(t, "judging", "object", "stat", three)
	runTally(t, b)
	b.eventually(t, "held", "object", "stat", three)
	b.mustSay(t, []string{"\"total\": 5}\n", "\"total\": 12}\n", "\"total\": 10}\n"}, "subscribe", "tally", "--after", "0", "--count", "3")
	shown(t, "what came while the application was away is decided when it is back")

	mallory := startNode(t, "--object-topic", "tally", "--bootstrap", a.tcp, "--bootstrap", b.tcp)
	mallory.eventually(t, three, "object", "list", "tally")
	bad := mallory.mustPut(t, `{"add": 1, "total": 1000}`, "--dep", three)
	for _, n := range []*weftNode{a, b} {
		n.eventually(t, mallory.id.String(), "bans", "-o", "json")
		n.mustSay(t, []string{"invalid"}, "object", "stat", bad)
	}
	shown(t, "a node that sends what the application rejects is banned")
}

func (n *weftNode) mustPut(t *testing.T, entry string, args ...string) (cid string) {
	t.Helper()
	return strings.TrimSpace(n.run(t, append([]string{"object", "put", "tally", entry}, args...)...))
}

var listeningAPI = regexp.MustCompile(`msg=running .*api=(127\.0\.0\.1:[0-9]+)`)

// startNode runs a node on loopback whose control API has a port, since JavaScript's
// fetch knows no unix sockets.
func startNode(t *testing.T, args ...string) *weftNode {
	t.Helper()
	n := &weftNode{binary: built(t, weftBinary), log: new(syncBuffer)}
	printed := n.spawn(t, append([]string{"run", "--ephemeral", "--api", "127.0.0.1:0", "--listen", "/ip4/127.0.0.1/tcp/0"}, args...)...)
	n.learn(t, <-printed)
	for deadline := time.Now().Add(stepTimeout); n.api == ""; time.Sleep(pollInterval) {
		if found := listeningAPI.FindStringSubmatch(n.log.String()); found != nil {
			n.api = found[1]
		} else if time.Now().After(deadline) {
			t.Fatalf("weft run names no API within %v; its log:\n%s", stepTimeout, n.log)
		}
	}
	return n
}

// runTally runs the application until the test ends, or stop is called.
func runTally(t *testing.T, n *weftNode) (stop func()) {
	t.Helper()
	cmd := exec.Command("node", "../../docs/examples/tally/tally.mjs", "http://"+n.api)
	log := new(syncBuffer)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: the example needs Node 18 or newer", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		ended <- <-ended
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("log of the application:\n%s", log)
		}
	})
	return stop
}
