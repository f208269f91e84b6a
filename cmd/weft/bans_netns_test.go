//go:build netns

package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

// must runs a command that succeeds.
func (k *kept) must(args ...string) string {
	k.t.Helper()
	out, code := k.weft(args...)
	if code != 0 {
		k.t.Fatalf("weft %s: %d %s", strings.Join(args, " "), code, out)
	}
	return out
}

// rejects lets an application reject every object of a topic, until the node ends.
func (k *kept) rejects(topic string) {
	k.t.Helper()
	c := k.client()
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := c.Candidates(ctx, &weftv1.CandidatesRequest{Topic: topic})
	if err != nil {
		k.t.Fatal(err)
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		for stream.Receive() {
			_, _ = c.Decide(ctx, &weftv1.DecideRequest{Cid: stream.Msg().Object.Cid, Verdict: "reject", Reason: "it is bad"})
		}
	})
	k.t.Cleanup(func() { cancel(); reader.Wait(); c.Close() })
}

// member awaits that two nodes are connected and complete.
func member(us, them *kept) {
	us.t.Helper()
	await(us.t, "member", func() bool { return slices.Contains(us.members(), them.id) })
}

const blamed = "20.1.2.0/24" // public; no packet to it leaves the namespace

// groupBan is the row of `weft bans` about the group itself; empty: there is none.
func (k *kept) groupBan() (row string) {
	k.t.Helper()
	for line := range strings.Lines(k.must("bans")) {
		if strings.HasPrefix(line, "- ") && strings.Contains(line, blamed) {
			row = line
		}
	}
	return row
}

// refuses wants that neither of two nodes gets through to the other, and that the one
// which refuses says why.
func (k *kept) refuses(other *kept, why string) {
	k.t.Helper()
	if out, code := k.weft("connect", other.addr()); code == 0 || !strings.Contains(out, "the addresses "+blamed+" are blocked until") || !strings.Contains(out, why) {
		k.t.Errorf("dialled out: %d %s", code, out)
	}
	if out, code := other.weft("connect", k.addr()); code == 0 {
		k.t.Errorf("dialled in: %s", out)
	}
	if len(k.members())+len(other.members()) > 0 {
		k.t.Error("they are members of one network")
	}
}

// stop ends the node by SIGTERM and returns its log.
func (k *kept) stop() string {
	k.t.Helper()
	k.signal(syscall.SIGTERM)
	<-k.ended
	return k.stderr.String()
}

// offend sends an invalid object from a machine of the group and leaves when that is
// noticed.
func (l *lan) offend(judge *kept, i int) (id string) {
	l.t.Helper()
	o := l.placeAt(fmt.Sprintf("20.1.2.%d", i)).node("--object-topic", "blocks", "--bootstrap", judge.addr()).start()
	member(judge, o)
	o.must("object", "put", "blocks", fmt.Sprint("bad ", i))
	judge.event("peer.banned", o.id)
	o.kill()
	return o.id
}

// Three machines of one /24 send what is invalid; a fourth one has done nothing.
func TestMachinesOfOneGroupAreBannedTogether(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	judge := l.placeAt("20.1.1.1").node("--object-topic", "blocks,external").start()
	judge.rejects("blocks")
	var offenders []string
	for i := range 3 {
		if row := judge.groupBan(); row != "" {
			t.Fatalf("banned after %d offenders: %s", i, row)
		}
		offenders = append(offenders, l.offend(judge, i+1))
	}
	judge.event("group.banned", "")
	const why = "3 offenders there, the last for object.invalid: "
	if row := judge.groupBan(); !strings.Contains(row, "offences") || !strings.Contains(row, why) {
		t.Errorf("`weft bans` shows %q", row)
	}
	innocent := l.placeAt("20.1.2.4").node().start()
	judge.refuses(innocent, why)
	log := judge.stop()
	for _, direction := range []string{"Outbound", "Inbound"} {
		if !regexp.MustCompile(`connection refused: the addresses ` + blamed + ` .*` + why + `.* direction=` + direction).MatchString(log) {
			t.Errorf("%s: the log does not say why it was refused", direction)
		}
	}

	judge.start()
	if row := judge.groupBan(); !strings.Contains(row, why) {
		t.Errorf("after a restart `weft bans` shows %q", row)
	}
	judge.refuses(innocent, why)

	judge.must("unban", blamed)
	innocent.must("connect", judge.addr())
	member(judge, innocent)
	bans := judge.must("bans", "-o", "json")
	for _, id := range offenders {
		if !strings.Contains(bans, id) {
			t.Errorf("%s is banned no more: %s", id, bans)
		}
	}
}

// A ban by hand parts those who are connected, and ends by itself.
func TestMachinesOfABannedGroupComeBackInTime(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	judge := l.placeAt("20.1.1.1").node().start()
	neighbour := l.placeAt("20.1.2.1").node("--bootstrap", judge.addr()).start()
	member(judge, neighbour)
	begun := time.Now()
	judge.must("ban", "20.1.2.77", "--for", "3s", "--reason", "too loud")
	judge.event("peer.disconnected", neighbour.id)
	await(t, "end of the ban", func() bool {
		_, code := neighbour.weft("connect", judge.addr())
		return code == 0
	})
	member(judge, neighbour)
	if took := time.Since(begun); took < 3*time.Second || judge.groupBan() != "" {
		t.Errorf("back after %v, and `weft bans` shows %q", took, judge.groupBan())
	}
}
