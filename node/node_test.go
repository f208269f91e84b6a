package node_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	madns "github.com/multiformats/go-multiaddr-dns"

	"github.com/weftnet/weft/adapters/leaktest"
	"github.com/weftnet/weft/node"
)

func TestTwoNodesJoinAndExchangeBytes(t *testing.T) {
	a := start(t)
	b := start(t, joining(a))
	sub, err := b.Subscribe("files")
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 300<<10)
	rand.Read(want)
	if err := a.Publish(soon(t), "files", want); err != nil {
		t.Fatal(err)
	}
	got := next(t, sub)
	if !bytes.Equal(got.Data, want) {
		t.Errorf("received %d bytes that differ from the %d published", len(got.Data), len(want))
	}
	if got.From != a.ID() || got.Topic != "files" {
		t.Errorf("message says topic %q from %s, want files from %s", got.Topic, got.From, a.ID())
	}
}

func TestTheSamePayloadTwiceArrivesTwice(t *testing.T) {
	a := start(t)
	b := start(t, joining(a))
	sub, err := b.Subscribe("t")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := a.Publish(soon(t), "t", []byte("again")); err != nil {
			t.Fatal(err)
		}
	}
	first, second := next(t, sub), next(t, sub)
	if string(first.Data) != "again" || string(second.Data) != "again" || first.ID == second.ID {
		t.Errorf("got %q (%s) and %q (%s)", first.Data, first.ID, second.Data, second.ID)
	}
}

func TestANodeThatForwardsCarriesATopicBetweenStrangers(t *testing.T) {
	hub := start(t, withTopic("t"), func(c *node.Config) { c.TargetDegree = 1 })
	a := start(t, joining(hub), func(c *node.Config) { c.TargetDegree = 1 })
	b := start(t, joining(hub), func(c *node.Config) { c.TargetDegree = 1 })
	sub, err := b.Subscribe("t")
	if err != nil {
		t.Fatal(err)
	}
	awaitMesh(t, hub, "t", 1)
	if err := a.Publish(soon(t), "t", []byte("over the hub")); err != nil {
		t.Fatal(err)
	}
	if got := next(t, sub); string(got.Data) != "over the hub" {
		t.Errorf("got %q", got.Data)
	}
}

func TestTheIdentityIsKeptInTheDataDirAndNewWithoutOne(t *testing.T) {
	dir := t.TempDir()
	id := func(change func(*node.Config)) peer.ID {
		n, err := node.New(loopback(change))
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		return n.ID()
	}
	if first, second := id(inDir(dir)), id(inDir(dir)); first != second {
		t.Errorf("the identity in one data directory changed from %s to %s", first, second)
	}
	if info, err := os.Stat(filepath.Join(dir, "identity.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("identity.key: %v, %v; want mode 0600", info, err)
	}
	if first, second := id(inDir("")), id(inDir("")); first == second {
		t.Errorf("two ephemeral starts had the same identity %s", first)
	}
}

func TestAnEphemeralNodeWritesNothing(t *testing.T) {
	dir := t.TempDir()
	start(t, inDir(dir), func(c *node.Config) { c.Ephemeral = true })
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("an ephemeral node wrote %v", files)
	}
}

func TestSavedPeersAreTriedWhenEveryBootstrapperIsDown(t *testing.T) {
	boot, friend := start(t), start(t)
	dir := t.TempDir()
	first := start(t, inDir(dir), joining(boot))
	awaitPeer(t, first, boot.ID())
	if err := first.Connect(soon(t), friend.Addrs()[0].String()); err != nil {
		t.Fatal(err)
	}
	awaitPeer(t, first, friend.ID())
	bootAddr := joining(boot)
	again := loopback(inDir(dir), bootAddr)
	if err := errors.Join(first.Close(), boot.Close()); err != nil {
		t.Fatal(err)
	}
	second := start(t, func(c *node.Config) { *c = again })
	awaitPeer(t, second, friend.ID())
}

func TestABootstrapFileIsReadAgainUntilTheNodeHasJoined(t *testing.T) {
	file := filepath.Join(t.TempDir(), "boot")
	late := start(t, func(c *node.Config) { c.Bootstrap = []string{"@" + file} })
	if err := late.Ready(); err == nil || !strings.Contains(err.Error(), "joined") {
		t.Errorf("Ready = %v before the file exists, want the reason", err)
	}
	boot := start(t)
	if err := os.WriteFile(file, []byte("# first\n"+boot.Addrs()[0].String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	awaitPeer(t, late, boot.ID())
	if err := late.Ready(); err != nil {
		t.Errorf("Ready = %v after joining", err)
	}
}

func TestAPipeInPlaceOfABootstrapFileIsToldAndHoldsNothingUp(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	n := start(t, func(c *node.Config) { c.Bootstrap = []string{"@" + pipe} })
	eventually(t, "the reason", func() bool {
		err := n.Ready()
		return err != nil && strings.Contains(err.Error(), "regular file")
	}) // closing it must end too
}

func TestABootstrapperIsFoundByDNS(t *testing.T) {
	boot := start(t)
	addr, id := boot.Addrs()[0].String(), boot.ID()
	dns, err := madns.NewResolver(madns.WithDefaultResolver(&madns.MockResolver{TXT: map[string][]string{
		"_dnsaddr.boot.example.org": {"dnsaddr=" + addr, "dnsaddr=/ip4/192.0.2.1/tcp/1"},
	}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/dnsaddr/boot.example.org", "/dnsaddr/boot.example.org/p2p/" + id.String()} {
		n := start(t, func(c *node.Config) { c.Resolver, c.Bootstrap = dns, []string{name} })
		awaitPeer(t, n, id)
	}
}

func TestANameThatDoesNotResolveIsToldAndOthersAreTried(t *testing.T) {
	boot := start(t)
	dns, err := madns.NewResolver(madns.WithDefaultResolver(&madns.MockResolver{}))
	if err != nil {
		t.Fatal(err)
	}
	lost := start(t, func(c *node.Config) { c.Resolver, c.Bootstrap = dns, []string{"/dnsaddr/gone.example.org"} })
	eventually(t, "the reason in Ready", func() bool {
		err := lost.Ready()
		return err != nil && strings.Contains(err.Error(), "gone.example.org")
	})
	found := start(t, joining(boot), func(c *node.Config) {
		c.Resolver, c.Bootstrap = dns, append(c.Bootstrap, "/dnsaddr/gone.example.org")
	})
	awaitPeer(t, found, boot.ID())
}

func TestTwoNodesCannotShareADataDir(t *testing.T) {
	dir := t.TempDir()
	start(t, inDir(dir))
	n, err := node.New(loopback(inDir(dir)))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("second start = %v, want an error that names %s", err, dir)
	}
}

func TestABusyPortIsAnErrorAndNothingIsLeftOpen(t *testing.T) {
	a := start(t)
	addr := strings.Split(a.Addrs()[0].String(), "/p2p/")[0]
	dir := t.TempDir()
	n, err := node.New(loopback(inDir(dir), func(c *node.Config) { c.Listen = []string{addr} }))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("start on a busy port = %v", err)
	}
	start(t, inDir(dir)) // the data directory was released
}

func TestConnectRefusesItselfAndBadAddresses(t *testing.T) {
	a, b := start(t), start(t)
	if err := a.Connect(soon(t), a.Addrs()[0].String()); !errors.Is(err, node.ErrSelf) {
		t.Errorf("connecting to itself = %v", err)
	}
	wrong := strings.Split(b.Addrs()[0].String(), "/p2p/")[0]
	if err := a.Connect(soon(t), wrong); !errors.Is(err, node.ErrArgument) || !strings.Contains(err.Error(), "/p2p/") {
		t.Errorf("connecting without a peer ID = %v", err)
	}
	if err := a.Connect(soon(t), wrong+"/p2p/"+a.ID().String()); err == nil {
		t.Error("dialling ourselves at somebody else's address succeeded")
	}
	if err := a.Disconnect(b.ID()); !errors.Is(err, node.ErrUnknownPeer) {
		t.Errorf("disconnecting a stranger = %v", err)
	}
}

func TestPingFindAndClosest(t *testing.T) {
	a := start(t)
	b := start(t, joining(a))
	c := start(t, joining(a))
	awaitPeer(t, b, a.ID())
	awaitPeer(t, c, a.ID())
	awaitTable(t, a, 2)
	awaitTable(t, b, 1)
	if rtt, err := b.Ping(soon(t), a.ID()); err != nil || rtt <= 0 {
		t.Errorf("ping = %v, %v", rtt, err)
	}
	found, err := b.FindPeer(soon(t), c.ID())
	if err != nil || found.ID != c.ID() || len(found.Addrs) == 0 {
		t.Errorf("find = %v, %v", found, err)
	}
	closest, err := b.Closest(soon(t), a.ID().String())
	if err != nil || len(closest) == 0 {
		t.Errorf("closest = %v, %v", closest, err)
	}
}

func TestAClosedNodeEndsItsStreamsAndSaysSo(t *testing.T) {
	a := start(t)
	sub, err := a.Subscribe("t")
	if err != nil {
		t.Fatal(err)
	}
	events := a.Events()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := sub.Next(soon(t)); err == nil {
		t.Error("a subscription outlived its node")
	}
	for err = nil; err == nil; {
		_, err = events.Next(soon(t))
	}
	if !errors.Is(err, node.ErrClosed) {
		t.Errorf("event stream ended with %v", err)
	}
	if err := a.Publish(soon(t), "t", nil); !errors.Is(err, node.ErrClosed) {
		t.Errorf("publish on a closed node = %v", err)
	}
	if err := a.Start(t.Context()); !errors.Is(err, node.ErrClosed) {
		t.Errorf("start after close = %v", err)
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	defer leaktest.Begin()(t)
	a, err := node.New(loopback())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b, err := node.New(loopback(joining(a)))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitPeer(t, b, a.ID())
	if err := errors.Join(b.Close(), a.Close()); err != nil {
		t.Error(err)
	}
}

func TestAnAPIThatOthersCanReachNeedsAToken(t *testing.T) {
	n, err := node.New(loopback(func(c *node.Config) { c.API = "0.0.0.0:0" }))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("start = %v, want an error that asks for a token", err)
	}
}
