//go:build interop

package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const kuboVersion = "kubo v0.40.1"

// ipfsBinary builds kubo from its module; see testdata/interop/kubo/go.mod.
var ipfsBinary = sync.OnceValues(func() (string, error) {
	return goBuild(filepath.Join(interopDir, "kubo"), "ipfs", "github.com/ipfs/kubo/cmd/ipfs")
})

func TestInteropKubo(t *testing.T) {
	ipfs := startKubo(t)
	node := startWeft(t)
	testKuboDials(t, ipfs, node)
	testKuboIsDialled(t, ipfs, node)
	if out, err := ipfs.try(t, "swarm", "connect", node.impostor(t)); err == nil || !strings.Contains(out, "peer id mismatch") {
		t.Fatalf("ipfs swarm connect under a wrong peer ID: %v, said %q", err, out)
	}
	shown(t, "%s refuses weft under a wrong peer ID", kuboVersion)
}

func testKuboDials(t *testing.T, ipfs *kubo, node *weftNode) {
	t.Helper()
	for _, addr := range []string{node.tcp, node.udp} {
		ipfs.run(t, "swarm", "connect", addr)
		pongs := strings.Count(ipfs.run(t, "ping", "-n", "3", node.id.String()), "Pong received")
		if pongs != 3 {
			t.Fatalf("ipfs ping received %d pongs, want 3", pongs)
		}
		agent := ipfs.agentOf(t, node)
		if !strings.HasPrefix(agent, "weft/") {
			t.Fatalf("ipfs swarm peers says agent %q, want weft/…", agent)
		}
		ipfs.run(t, "swarm", "disconnect", addr)
		transport, _, _ := strings.Cut(addr, "/p2p/")
		shown(t, "%s: `ipfs swarm connect` and `ipfs ping` reach weft at %s; identify says %s", kuboVersion, transport, agent)
	}
}

func testKuboIsDialled(t *testing.T, ipfs *kubo, node *weftNode) {
	t.Helper()
	addrs := strings.Fields(ipfs.run(t, "id", "-f", "<addrs>"))
	if len(addrs) != 2 {
		t.Fatalf("kubo listens at %v, want one TCP and one QUIC address", addrs)
	}
	for _, addr := range addrs {
		node.mustRefuse(t, addr)
		node.run(t, "connect", addr)
		node.eventually(t, "kubo/", "peers", "-o", "json")
		node.run(t, "ping", "--count", "1", ipfs.id)
		node.run(t, "disconnect", ipfs.id)
		transport, _, _ := strings.Cut(addr, "/p2p/")
		shown(t, "`weft connect` reaches %s at %s, refuses it under a wrong peer ID; `weft ping` answers", kuboVersion, transport)
	}
}

// kubo is a running ipfs daemon and its repository.
type kubo struct {
	binary string
	repo   string
	id     string
}

// kuboOffline leaves kubo with nobody to talk to but who it is told to dial.
// The test profile has seen to loopback addresses, bootstrap and mDNS.
var kuboOffline = [][2]string{
	{"Addresses.Swarm", `["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"]`},
	{"AutoNAT.ServiceMode", `"disabled"`},
	{"HTTPRetrieval.Enabled", `false`},
	{"Provide.Enabled", `false`},
	{"Routing.Type", `"none"`},
	{"Swarm.EnableHolePunching", `false`},
	{"Swarm.RelayClient.Enabled", `false`},
	{"Swarm.RelayService.Enabled", `false`},
	{"Version.SwarmCheckEnabled", `false`},
}

func startKubo(t *testing.T) *kubo {
	t.Helper()
	k := &kubo{binary: built(t, ipfsBinary), repo: t.TempDir()}
	k.run(t, "init", "--profile", "test")
	for _, setting := range kuboOffline {
		k.run(t, "config", "--json", setting[0], setting[1])
	}
	k.id = strings.TrimSpace(k.run(t, "config", "Identity.PeerID"))
	k.daemon(t)
	return k
}

// daemon runs ipfs until the test ends and returns when it says that it is ready.
func (k *kubo) daemon(t *testing.T) {
	t.Helper()
	cmd := k.command(context.Background(), "daemon")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log := new(syncBuffer)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if lines.Text() == "Daemon is ready" {
				close(ready)
			}
		}
	}()
	t.Cleanup(func() { stopKubo(t, cmd, ended, log) })
	select {
	case <-ready:
	case <-ended:
		t.Fatalf("ipfs daemon ended:\n%s", log)
	case <-time.After(stepTimeout):
		t.Fatalf("ipfs daemon not ready within %v:\n%s", stepTimeout, log)
	}
}

func stopKubo(t *testing.T, cmd *exec.Cmd, ended <-chan struct{}, log *syncBuffer) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(stepTimeout, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	<-ended
	if err := cmd.Wait(); err != nil {
		t.Errorf("ipfs daemon: %v:\n%s", err, log)
	}
}

func (k *kubo) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, k.binary, args...)
	cmd.Env = append(os.Environ(), "IPFS_PATH="+k.repo, "IPFS_TELEMETRY=off")
	return cmd
}

// try runs an ipfs command; out is what it said on stdout and stderr.
func (k *kubo) try(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stepTimeout)
	defer cancel()
	both, err := k.command(ctx, args...).CombinedOutput()
	return string(both), err
}

func (k *kubo) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := k.try(t, args...)
	if err != nil {
		t.Fatalf("ipfs %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

// agentOf is what kubo's identify has learnt of the node.
func (k *kubo) agentOf(t *testing.T, node *weftNode) string {
	t.Helper()
	var list struct {
		Peers []struct {
			Peer     string
			Identify struct{ AgentVersion string }
		}
	}
	out := k.run(t, "swarm", "peers", "--identify", "--enc=json")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("ipfs swarm peers printed %s: %v", out, err)
	}
	for _, p := range list.Peers {
		if p.Peer == node.id.String() {
			return p.Identify.AgentVersion
		}
	}
	t.Fatalf("ipfs swarm peers does not list the weft node: %s", out)
	return ""
}
