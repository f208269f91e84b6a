//go:build docker

package docker_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// within is T of symmetry, and how far from it a drop may be.
const (
	within = 15 * time.Second
	slack  = within / 10
)

// TestSymmetry runs nodes that ask for connections both ways on addresses of their
// own. One of them is behind a firewall that lets nobody in.
func TestSymmetry(t *testing.T) {
	t.Parallel()
	network := ownNetwork(t)
	first := symmetric(t, network)
	address := "--bootstrap=" + first.address()
	honest := symmetric(t, network, address)
	holder := on(t, network, "run", "--ephemeral", "--listen", "/ip4/127.0.0.1/tcp/0", "--api", "off") // has the firewall's namespace
	holder.closePort("30303")
	walled := symmetric(t, "container:"+holder.id, address)

	step(t, "an honest pair is connected both ways", func(t *testing.T) {
		eventually(t, within/2, func() error { return first.on(t).bothWays(honest.peer) })
		eventually(t, within/2, func() error { return honest.on(t).bothWays(first.peer) })
		gossips(t, []member{first, honest})
	})
	step(t, "who cannot be dialled back is dropped in time, with the reason", func(t *testing.T) {
		var took time.Duration
		eventually(t, joinLimit, func() (err error) { took, err = first.on(t).dropped(walled.peer); return err })
		if took < within-slack || took > within+slack {
			t.Errorf("dropped %v after the connection, want %v within 10 %%", took, within)
		}
	})
	step(t, "and is refused until the cool-down ends", func(t *testing.T) {
		before := first.on(t).connections(walled.peer)
		docker(t, "restart", walled.id) // it knows of no cool-down of its own any more
		eventually(t, joinLimit, walled.on(t).sameID)
		eventually(t, joinLimit, func() error { return walled.on(t).lost(first.peer) })
		if n := first.on(t).connections(walled.peer); n != before {
			events, err := first.on(t).happened(walled.peer)
			t.Errorf("it was connected %d times before its restart and %d times in all: %v, %v", before, n, events, err)
		}
	})
	if err := honest.bothWays(first.peer); err != nil {
		t.Error(err)
	}
}

// symmetric starts a node that asks for symmetry.
func symmetric(t *testing.T, network string, args ...string) member {
	t.Helper()
	line := append([]string{"run", "--symmetry", "required", "--topology", "mesh",
		"--listen", "/ip4/0.0.0.0/tcp/30303", "--listen", "/ip4/0.0.0.0/udp/30303/quic-v1"}, args...)
	m := member{container: on(t, network, line...)}
	eventually(t, joinLimit, func() (err error) { m.peer, err = m.identity(); return err })
	return m
}

// on starts a container in a network, or in the network of another container.
func on(t *testing.T, network string, args ...string) container {
	t.Helper()
	c := container{t, docker(t, append([]string{"run", "-d", "--network", network, image}, args...)...)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of %s:\n%s", c.id, c.logs())
		}
		remove(t, "rm", "-f", "-v", c.id)
	})
	return c
}

// closePort drops what comes in on a port that somebody else dialled.
func (c container) closePort(port string) {
	c.t.Helper()
	pid := c.inspect("{{.State.Pid}}")
	for _, rule := range [][]string{{"-p", "tcp", "--syn"}, {"-p", "udp"}} {
		args := append([]string{"-t", pid, "-n", "iptables", "-A", "INPUT"}, rule...)
		args = append(args, "--dport", port, "-j", "DROP")
		if _, err := output(c.t.Context(), nil, nil, "nsenter", args...); err != nil {
			c.t.Fatal(err)
		}
	}
}

// address is where others can dial the node over TCP.
func (m member) address() string {
	m.t.Helper()
	var answer struct{ Addresses []string }
	if err := m.ask(&answer, "id"); err != nil {
		m.t.Fatal(err)
	}
	for _, a := range answer.Addresses {
		if strings.Contains(a, "/tcp/") && !strings.Contains(a, "/127.") {
			return a
		}
	}
	m.t.Fatalf("no address for others in %v", answer.Addresses)
	return ""
}

// bothWays says what is missing to a symmetric pair.
func (m member) bothWays(peer string) error {
	var answer struct {
		Peers []struct {
			PeerID, Role                            string
			InboundConnections, OutboundConnections int
		}
	}
	if err := m.ask(&answer, "peers"); err != nil {
		return err
	}
	for _, p := range answer.Peers {
		if p.PeerID == peer && p.Role == "member" && p.InboundConnections > 0 && p.OutboundConnections > 0 {
			return nil
		}
	}
	return fmt.Errorf("no symmetric connection with %s in %+v", peer, answer.Peers)
}

// event is something that happened to a node.
type event struct {
	Time               time.Time
	Kind, PeerID, Text string
}

// happened are the events about a peer so far.
func (m member) happened(peer string) (events []event, err error) {
	out, err := m.weft(nil, "events", "--past", "-o", "json")
	for line := range strings.Lines(string(out)) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return nil, err
		}
		if e.PeerID == peer {
			events = append(events, e)
		}
	}
	return events, err
}

// dropped is how long after its connection a peer was refused for being asymmetric.
func (m member) dropped(peer string) (time.Duration, error) {
	events, err := m.happened(peer)
	var connected time.Time
	for _, e := range events {
		switch {
		case e.Kind == "peer.connected" && connected.IsZero():
			connected = e.Time
		case e.Kind == "peer.rejected" && strings.Contains(e.Text, "asymmetric"):
			return e.Time.Sub(connected), nil
		}
	}
	return 0, fmt.Errorf("%s was not dropped yet: %v, %w", peer, events, err)
}

// lost says whether a connection, or the try of one, has ended.
func (m member) lost(peer string) error {
	events, err := m.happened(peer)
	for _, e := range events {
		if e.Kind == "peer.disconnected" || e.Kind == "peer.dial_failed" {
			return nil
		}
	}
	return fmt.Errorf("nothing was lost yet: %v, %w", events, err)
}

// connections counts how often a peer was connected.
func (m member) connections(peer string) (n int) {
	m.t.Helper()
	events, err := m.happened(peer)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, e := range events {
		if e.Kind == "peer.connected" {
			n++
		}
	}
	return n
}
