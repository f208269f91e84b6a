//go:build slow

package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/adapters/admin"
	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

// kept is a node with a data directory that is ended and started again.
type kept struct {
	t     *testing.T
	dir   string // short, as the paths of sockets must be
	flags []string
	id    string // once it was dialled

	cmd    *exec.Cmd
	stderr bytes.Buffer // of the last run, complete once it has ended
	ended  chan struct{}
}

// newKept makes a node on loopback that runs until the test ends.
func newKept(t *testing.T, flags ...string) *kept {
	t.Helper()
	dir, err := os.MkdirTemp("", "weft")
	if err != nil {
		t.Fatal(err)
	}
	k := &kept{t: t, dir: dir, flags: flags}
	t.Cleanup(func() {
		k.kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", k.id, &k.stderr)
		}
		os.RemoveAll(dir)
	})
	return k
}

// run starts the process and does not wait for it.
func (k *kept) run() {
	k.t.Helper()
	_ = os.Remove(k.addrFile())
	k.cmd = exec.Command("weft", append([]string{
		"run", "--data-dir", filepath.Join(k.dir, "data"), "--api", k.api(), "--addr-file", k.addrFile(),
		"--listen", "/ip4/127.0.0.1/tcp/0", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1", "--topology", "mesh",
	}, k.flags...)...)
	k.stderr.Reset()
	k.cmd.Stderr = &k.stderr
	if err := k.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	k.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		_ = cmd.Wait() // the signal is in ProcessState
	}(k.cmd, k.ended)
}

// start runs the process and waits until it can be dialled.
func (k *kept) start() *kept {
	k.t.Helper()
	k.run()
	k.ready()
	return k
}

// ready waits until the node can be dialled, as the same one as before.
func (k *kept) ready() {
	k.t.Helper()
	await(k.t, "address file", func() bool {
		select {
		case <-k.ended:
			k.t.Fatalf("the node ended by itself:\n%s", &k.stderr)
		default:
		}
		_, err := os.Stat(k.addrFile())
		return err == nil
	})
	info, err := peer.AddrInfoFromString(k.addr())
	if err != nil {
		k.t.Fatal(err)
	}
	if k.id != "" && k.id != info.ID.String() {
		k.t.Fatalf("the peer ID was %s and is %s", k.id, info.ID)
	}
	k.id = info.ID.String()
}

func (k *kept) api() string      { return "unix://" + filepath.Join(k.dir, "api") }
func (k *kept) addrFile() string { return filepath.Join(k.dir, "addr") }

func (k *kept) addr() string {
	text, err := os.ReadFile(k.addrFile())
	if err != nil {
		k.t.Fatal(err)
	}
	return strings.SplitN(string(text), "\n", 2)[0]
}

// kill ends the process as a power failure would.
func (k *kept) kill() {
	if k.cmd == nil {
		return
	}
	_ = k.cmd.Process.Signal(syscall.SIGCONT)
	_ = k.cmd.Process.Kill() // it may have ended
	<-k.ended
}

func (k *kept) signal(s syscall.Signal) {
	k.t.Helper()
	if err := k.cmd.Process.Signal(s); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kept) client() *admin.Client {
	k.t.Helper()
	c, err := admin.Dial(k.api(), "")
	if err != nil {
		k.t.Fatal(err)
	}
	return c
}

// members are the peers that are connected and complete; none while nobody answers.
func (k *kept) members() (ids []string) {
	c := k.client()
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	all, err := c.Peers(ctx, &weftv1.PeersRequest{})
	if err != nil {
		return nil
	}
	for _, p := range all.Peers {
		if p.Role == "member" {
			ids = append(ids, p.PeerId)
		}
	}
	return ids
}

// past are the events of some kinds until now.
func (k *kept) past(kinds ...string) (events []*weftv1.EventsResponse) {
	k.t.Helper()
	c := k.client()
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := c.Events(ctx, &weftv1.EventsRequest{Kinds: kinds, PastOnly: true})
	if err != nil {
		k.t.Fatal(err)
	}
	for stream.Receive() {
		events = append(events, stream.Msg())
	}
	if err := stream.Err(); err != nil {
		k.t.Fatal(err)
	}
	return events
}

// cluster is so many nodes, each connected to each, and no bootstrapper any more.
func cluster(t *testing.T, n int) (all []*kept) {
	t.Helper()
	door := newKept(t).start()
	for range n {
		all = append(all, newKept(t, "--bootstrap", door.addr()).start())
	}
	for _, k := range all {
		await(t, "cluster", func() bool { return len(k.members()) == n })
	}
	door.kill()
	for _, k := range all {
		await(t, "end of the bootstrapper", func() bool { return len(k.members()) == n-1 })
	}
	return all
}

const (
	crashes = 100
	// settleTime is up to how long a node lives that has joined, before it is
	// killed. Chosen longer than what it does then: it saves whom it met.
	settleTime = 300 * time.Millisecond
	// openTime is up to how long a node lives that is killed while it starts.
	openTime = 200 * time.Millisecond
	// rejoinLimit is from the start of the process to the first member.
	rejoinLimit = 10 * time.Second
)

// Every second time the node is killed while it starts, otherwise after it has
// joined through peers that it saved, as its bootstrapper is down.
func TestANodeThatIsKilledAHundredTimesComesBack(t *testing.T) {
	t.Parallel()
	all := cluster(t, 4)
	victim := all[3]
	victim.kill()
	var slowest, sum time.Duration
	for i := range crashes / 2 {
		victim.run()
		time.Sleep(rand.N(openTime))
		victim.kill()
		begun := time.Now()
		victim.start()
		await(t, fmt.Sprintf("member after %d kills", 2*i+2), func() bool { return len(victim.members()) > 0 })
		took := time.Since(begun)
		if took > rejoinLimit {
			t.Errorf("after %d kills the node was alone for %v", 2*i+2, took)
		}
		slowest, sum = max(slowest, took), sum+took
		time.Sleep(rand.N(settleTime))
		victim.kill()
	}
	t.Logf("rejoined %v after the start on average, %v at most", sum/(crashes/2), slowest)
	victim.start()
	for _, k := range all {
		await(t, "cluster", func() bool { return len(k.members()) == len(all)-1 })
	}
}

const (
	pauseTime = 5 * time.Second
	pauses    = 6                // of one node, over more than the 40 s in which a ping is sent and missed
	noticed   = 50 * time.Second // for a peer that is gone without a word
	slack     = 2 * time.Second  // chosen for a machine that does other things too
)

func TestAPauseOfFiveSecondsFailsNobody(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3)
	for range pauses {
		all[0].signal(syscall.SIGSTOP)
		time.Sleep(pauseTime)
		all[0].signal(syscall.SIGCONT)
		time.Sleep(pauseTime / 2)
	}
	for _, k := range all {
		if n := len(k.members()); n != len(all)-1 {
			t.Errorf("%d members, want %d", n, len(all)-1)
		}
		for _, e := range k.past("peer.left", "peer.silent", "peer.banned", "peer.offence") {
			if slices.ContainsFunc(all, func(k *kept) bool { return k.id == e.PeerId }) {
				t.Errorf("%s: %s", e.Kind, e.Text)
			}
		}
	}
}

func TestAPeerThatDiesSilentlyIsNoticed(t *testing.T) {
	t.Parallel()
	all := cluster(t, 3)
	dead := all[0]
	dead.signal(syscall.SIGSTOP)
	since := time.Now()
	for _, k := range all[1:] {
		for slices.Contains(k.members(), dead.id) {
			if time.Since(since) > noticed+slack {
				t.Fatalf("not noticed after %v", time.Since(since))
			}
			time.Sleep(lookEvery)
		}
	}
	t.Logf("noticed after %v", time.Since(since).Round(time.Millisecond))
	dead.signal(syscall.SIGCONT)
	for _, k := range all {
		await(t, "cluster", func() bool { return len(k.members()) == len(all)-1 })
	}
}
