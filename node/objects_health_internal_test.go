package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weftnet/weft/adapters/gossipsub"
	"github.com/weftnet/weft/protocols/dissemination"
	"github.com/weftnet/weft/protocols/object"
)

func candidate(n int) Object { return Object{ID: object.ID{byte(n), byte(n >> 8)}, Topic: "t"} }

// Nobody decides: that shows, and what has lapsed takes no room.
func TestAnApplicationThatIsGoneMakesTheNodeUnready(t *testing.T) {
	c := newCourt()
	c.add(candidate(1), "", false)
	now := time.Now()
	if err := c.health(now); err != nil {
		t.Error("at once:", err)
	}
	err := c.health(now.Add(overdueAfter + time.Second))
	if err == nil || !strings.Contains(err.Error(), "nobody listens") {
		t.Errorf("after half of its time: %v", err)
	}
	c.listen(1)
	if err := c.health(now.Add(overdueAfter + time.Second)); err == nil || !strings.Contains(err.Error(), "does not decide") {
		t.Errorf("while somebody listens: %v", err)
	}
	lapsed := now.Add(judgeWithin + time.Second)
	if err := c.health(lapsed); err == nil || len(c.open) != 0 {
		t.Errorf("after its time: %v, and %d are open", err, len(c.open))
	}
	if err := c.health(lapsed.Add(judgeWithin)); err != nil {
		t.Error("long after:", err)
	}
}

func TestADecisionMakesTheNodeReadyAgain(t *testing.T) {
	c := newCourt()
	c.add(candidate(1), "", false)
	lapsed := time.Now().Add(judgeWithin + time.Second)
	if c.health(lapsed) == nil {
		t.Fatal("a candidate lapsed, and all is well")
	}
	c.add(candidate(2), "", false)
	if _, ok := c.take(candidate(2).ID); !ok {
		t.Fatal("the candidate is gone")
	}
	if err := c.health(lapsed); err != nil {
		t.Error(err)
	}
}

// Candidates that lapsed are dropped though nobody asks for any.
func TestCandidatesThatNobodyWantsTakeNoRoom(t *testing.T) {
	c := newCourt()
	for i := range 10 {
		c.add(candidate(i), "", false)
		c.open[len(c.open)-1].Until = time.Now().Add(-time.Second)
	}
	c.add(candidate(10), "", false)
	if len(c.open) != 1 {
		t.Errorf("%d are open, want the last", len(c.open))
	}
}

func TestACallbackThatDoesNotReturnMakesTheNodeUnready(t *testing.T) {
	c := newCourt()
	o := candidate(1)
	ended := c.calling(Candidate{Object: o, Until: time.Now().Add(judgeWithin)})
	late := time.Now().Add(overdueAfter + time.Second)
	if err := c.health(late); err == nil || !strings.Contains(err.Error(), "Decide") {
		t.Errorf("while it runs: %v", err)
	}
	if ended(); c.health(late) != nil {
		t.Error("after its end:", c.health(late))
	}
	for i := range 2 * maxCalls {
		c.add(candidate(i), "", true)
	}
	if n := c.callbacks.Len(); n != maxCalls {
		t.Errorf("%d calls wait, want %d at most", n, maxCalls)
	}
}

// A disk that takes no objects makes the node unready, whatever else can be written.
func TestObjectsThatCannotBeKeptMakeTheNodeUnready(t *testing.T) {
	n := openNode(t)
	p, err := n.live()
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("the disk is full")
	p.objects.degrade(full)
	p.save(nil, n.cfg.Logger)
	if err := n.Ready(); !errors.Is(err, full) {
		t.Errorf("ready: %v", err)
	}
	if _, err := n.PutObject(t.Context(), "t", Draft{}); !errors.Is(err, full) {
		t.Errorf("put: %v", err)
	}
	p.objects.degrade(nil)
	if err := n.Ready(); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// However many topics there are, the series are few.
func TestSeriesOfTopicsAreBounded(t *testing.T) {
	var all []dissemination.TopicState
	for i := range 3 * maxTopicSeries {
		all = append(all, dissemination.TopicState{Topic: dissemination.Topic{Name: fmt.Sprintf("t%04d", i)}, Objects: 1, Bytes: 2, Pruned: 3})
	}
	few := fewTopics(all)
	rest := few[len(few)-1]
	if len(few) != maxTopicSeries+1 || rest.Name != gossipsub.OtherTopics || rest.Objects != 2*maxTopicSeries || rest.Bytes != 4*maxTopicSeries || rest.Pruned != 6*maxTopicSeries {
		t.Errorf("%d series, the last of them %+v", len(few), rest)
	}
	if few[0].Name != "t0000" || len(fewTopics(all[:3])) != 3 {
		t.Error("a topic is missing")
	}
}

// openNode starts a node with a topic of objects.
func openNode(t *testing.T) *Node {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	cfg.ObjectTopics = []ObjectTopic{{Name: "t"}}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}
