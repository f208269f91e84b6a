//go:build slow || netns

package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/weftnet/weft/adapters/admin"
	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

// kept is a node with a data directory that is ended and started again.
type kept struct {
	t     *testing.T
	dir   string   // short, as the paths of sockets must be
	via   []string // what runs weft; empty: nothing
	flags []string
	id    string // once it was dialled

	cmd    *exec.Cmd
	stderr bytes.Buffer // of the last run, complete once it has ended
	ended  chan struct{}
}

// newKept makes a node that runs until the test ends.
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
	line := slices.Concat(k.via, []string{
		"weft", "run", "--data-dir", filepath.Join(k.dir, "data"), "--api", k.api(), "--addr-file", k.addrFile(),
	}, k.flags)
	k.cmd = exec.Command(line[0], line[1:]...)
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

// weft runs a command against the node, and says with which code it ended.
func (k *kept) weft(args ...string) (out string, code int) {
	k.t.Helper()
	cmd := exec.Command("weft", append(args, "--api", k.api())...)
	b, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		k.t.Fatal(err)
	}
	return string(b), cmd.ProcessState.ExitCode()
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
