package node_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/weftnet/weft/adapters/admin"
	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/node"
)

func external(t *node.ObjectTopic) { t.External = true }

func apiPut(t testing.TB, api *admin.Client, r *weftv1.ObjectPutRequest) string {
	t.Helper()
	m, err := api.ObjectPut(soon(t), r)
	if err != nil {
		t.Fatal("put:", err)
	}
	return m.Cid
}

func TestTheAPIPutsGetsListsAndDeliversObjects(t *testing.T) {
	a := start(t, withAPI, carrying("blocks"))
	b := start(t, withAPI, joining(a)) // carries nothing
	awaitPeer(t, b, a.ID())
	api := client(t, a)
	first := apiPut(t, api, &weftv1.ObjectPutRequest{Topic: "blocks", Text: "one", Unsigned: true})
	second := apiPut(t, api, &weftv1.ObjectPutRequest{Topic: "blocks", Data: []byte{0, 255}, Kind: 7, Deps: []string{first}})

	got, err := client(t, b).ObjectGet(soon(t), &weftv1.ObjectGetRequest{Cid: second})
	if o := got.GetObject(); err != nil || o.Cid != second || !bytes.Equal(o.Payload, []byte{0, 255}) || o.Kind != 7 || o.Topic != "blocks" ||
		len(o.Deps) != 1 || o.Deps[0] != first || o.Author != a.ID().String() || len(o.AuthorKey) != len("ed25519:")+64 || o.Time == nil {
		t.Errorf("elsewhere: %v, %v", got, err)
	}
	got, err = api.ObjectGet(soon(t), &weftv1.ObjectGetRequest{Cid: first, Encoded: true})
	if err != nil || got.Object.Author != "" || got.Object.Payload != nil || !bytes.Contains(got.Encoded, []byte("one")) {
		t.Errorf("encoded: %v, %v", got, err)
	}
	s, err := api.ObjectStat(soon(t), &weftv1.ObjectStatRequest{Cid: second})
	if err != nil || s.State != "held" || s.Seq != 2 || s.Topic != "blocks" || s.Size == 0 || s.Landed == nil {
		t.Errorf("stat: %v, %v", s, err)
	}
	page, err := api.ObjectList(soon(t), &weftv1.ObjectListRequest{Topic: "blocks", Limit: 1})
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Cid != first || !page.More {
		t.Errorf("first page: %v, %v", page, err)
	}
	page, err = api.ObjectList(soon(t), &weftv1.ObjectListRequest{Topic: "blocks", Limit: 1, After: 1})
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Cid != second || page.More {
		t.Errorf("last page: %v, %v", page, err)
	}
	checkDeliveries(t, api, first, second)
}

func checkDeliveries(t *testing.T, api *admin.Client, first, second string) {
	t.Helper()
	stream, err := api.SubscribeObjects(soon(t), &weftv1.SubscribeObjectsRequest{Topic: "blocks", After: new(uint64)})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for i, want := range []string{first, second} {
		if !stream.Receive() || stream.Msg().Object.Cid != want || stream.Msg().Seq != uint64(i+1) {
			t.Fatalf("delivery %d: %v, %v", i, stream.Msg(), stream.Err())
		}
	}
	fresh, err := api.SubscribeObjects(soon(t), &weftv1.SubscribeObjectsRequest{Topic: "blocks"})
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	third := apiPut(t, api, &weftv1.ObjectPutRequest{Topic: "blocks", Text: "three"})
	if !fresh.Receive() || fresh.Msg().Object.Cid != third {
		t.Errorf("from now on: %v, %v; want %s", fresh.Msg(), fresh.Err(), third)
	}
}

func TestAnObjectOf16MiBPassesTheAPI(t *testing.T) {
	a := start(t, withAPI, carrying("blocks"), func(c *node.Config) { c.MaxMessageBytes = node.MaxMessageLimit })
	api := client(t, a)
	big := bytes.Repeat([]byte{7}, node.MaxMessageLimit-8192) // less the header and what carries it
	id := apiPut(t, api, &weftv1.ObjectPutRequest{Topic: "blocks", Data: big})
	if got, err := api.ObjectGet(soon(t), &weftv1.ObjectGetRequest{Cid: id}); err != nil || !bytes.Equal(got.Object.Payload, big) {
		t.Errorf("got %d bytes, %v", len(got.GetObject().GetPayload()), err)
	}
}

func wantReason(t *testing.T, err error, code connect.Code, reason string) {
	t.Helper()
	if x := admin.ExplanationOf(err); connect.CodeOf(err) != code || x.GetReason() != reason {
		t.Errorf("%v (%v, %q), want %v, %q", err, connect.CodeOf(err), x.GetReason(), code, reason)
	}
}

func TestTheAPISaysWhyItRefusesAnObject(t *testing.T) {
	a := start(t, withAPI, withTopic("news"), carrying("blocks"), carrying("decided", external),
		carrying("sealed", class("broadcast"), func(o *node.ObjectTopic) { o.Authors = "validators" }))
	api := client(t, a)
	absent := node.ObjectID{1}.String()
	put := func(r *weftv1.ObjectPutRequest) func() error {
		return func() error { _, err := api.ObjectPut(soon(t), r); return err }
	}
	for name, c := range map[string]struct {
		call   func() error
		code   connect.Code
		reason string
	}{
		"no topic":       {put(&weftv1.ObjectPutRequest{Topic: "other"}), connect.CodeNotFound, "object.no_topic"},
		"missing":        {put(&weftv1.ObjectPutRequest{Topic: "blocks", Deps: []string{absent}}), connect.CodeFailedPrecondition, "object.missing"},
		"too large":      {put(&weftv1.ObjectPutRequest{Topic: "blocks", Data: make([]byte, 1<<20)}), connect.CodeInvalidArgument, "object.too_large"},
		"no CID":         {put(&weftv1.ObjectPutRequest{Topic: "blocks", Deps: []string{"Qm"}}), connect.CodeInvalidArgument, "argument"},
		"kind":           {put(&weftv1.ObjectPutRequest{Topic: "blocks", Kind: 1 << 16}), connect.CodeInvalidArgument, "argument"},
		"data and text":  {put(&weftv1.ObjectPutRequest{Topic: "blocks", Data: []byte("x"), Text: "x"}), connect.CodeInvalidArgument, "argument"},
		"author":         {put(&weftv1.ObjectPutRequest{Topic: "sealed"}), connect.CodePermissionDenied, "object.author"},
		"nobody decides": {put(&weftv1.ObjectPutRequest{Topic: "decided", Timeout: durationpb.New(50 * time.Millisecond)}), connect.CodeDeadlineExceeded, "object.unfinished"},
		"broadcast": {func() error {
			_, err := api.Broadcast(soon(t), &weftv1.BroadcastRequest{Topic: "sealed", Text: "x"})
			return err
		}, connect.CodePermissionDenied, "object.author"},
		"class": {func() error {
			_, err := api.Broadcast(soon(t), &weftv1.BroadcastRequest{Topic: "blocks", Text: "x"})
			return err
		}, connect.CodeInvalidArgument, "argument"},
		"publish": {func() error {
			_, err := api.Publish(soon(t), &weftv1.PublishRequest{Topic: "blocks", Text: "x"})
			return err
		}, connect.CodeInvalidArgument, "topic.objects"},
		"get": {func() error {
			_, err := api.ObjectGet(soon(t), &weftv1.ObjectGetRequest{Cid: absent})
			return err
		}, connect.CodeNotFound, "object.not_found"},
		"provide": {func() error {
			_, err := api.ObjectProvide(soon(t), &weftv1.ObjectProvideRequest{Cid: absent})
			return err
		}, connect.CodeNotFound, "object.not_held"},
		"in use": {func() error {
			_, err := api.JoinObjectTopic(soon(t), &weftv1.JoinObjectTopicRequest{Topic: "news"})
			return err
		}, connect.CodeAlreadyExists, "topic.in_use"},
		"class of topic": {func() error {
			_, err := api.JoinObjectTopic(soon(t), &weftv1.JoinObjectTopicRequest{Topic: "x", Class: "fast"})
			return err
		}, connect.CodeInvalidArgument, "argument"},
		"author keys": {func() error {
			_, err := api.JoinObjectTopic(soon(t), &weftv1.JoinObjectTopicRequest{Topic: "x", Authors: "listed", AuthorKeys: []string{"x"}})
			return err
		}, connect.CodeInvalidArgument, "argument"},
		"decide": {func() error {
			_, err := api.Decide(soon(t), &weftv1.DecideRequest{Cid: absent, Verdict: "accept"})
			return err
		}, connect.CodeNotFound, "object.not_found"},
		"verdict": {func() error {
			_, err := api.Decide(soon(t), &weftv1.DecideRequest{Cid: absent, Verdict: "perhaps"})
			return err
		}, connect.CodeInvalidArgument, "argument"},
	} {
		t.Run(name, func(t *testing.T) { wantReason(t, c.call(), c.code, c.reason) })
	}
	for name, r := range map[string]*weftv1.SubscribeObjectsRequest{
		"object.no_topic": {Topic: "news"}, "argument": {Topic: "blocks", After: ptr(uint64(9))},
	} {
		stream, err := api.SubscribeObjects(soon(t), r)
		if err == nil && stream.Receive() {
			t.Errorf("%s: received %v", name, stream.Msg())
		} else if err == nil {
			err = stream.Err()
		}
		wantReason(t, err, map[string]connect.Code{"object.no_topic": connect.CodeNotFound, "argument": connect.CodeInvalidArgument}[name], name)
	}
}

func ptr[T any](v T) *T { return &v }

func TestTheAPIJoinsShowsAnchorsAndLeavesObjectTopics(t *testing.T) {
	a := start(t, withAPI, withTopic("news"))
	api := client(t, a)
	_, err := api.JoinObjectTopic(soon(t), &weftv1.JoinObjectTopicRequest{
		Topic: "blocks", Class: "infect", Authors: "listed", AuthorKeys: []string{a.ID().String()},
		KeepObjects: 3, KeepBytes: 1 << 33, KeepAge: durationpb.New(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	old := node.ObjectID{2}.String()
	if _, err := api.ObjectAnchor(soon(t), &weftv1.ObjectAnchorRequest{Topic: "blocks", Cid: old}); err != nil {
		t.Fatal(err)
	}
	if s, err := api.ObjectStat(soon(t), &weftv1.ObjectStatRequest{Cid: old}); err != nil || s.State != "pruned" {
		t.Errorf("the anchor is %v, %v", s, err)
	}
	for i := range 5 {
		apiPut(t, api, &weftv1.ObjectPutRequest{Topic: "blocks", Text: fmt.Sprint(i), Deps: []string{old}})
	}
	r, err := api.Topics(soon(t), &weftv1.TopicsRequest{Topic: "blocks"})
	if err != nil || len(r.Topics) != 0 || len(r.ObjectTopics) != 1 {
		t.Fatalf("topics = %v, %v", r, err)
	}
	if o := r.ObjectTopics[0]; o.Class != "infect" || o.Authors != "listed" || len(o.AuthorKeys) != 1 || o.Judged || o.KeepObjects != 3 ||
		o.KeepBytes != 1<<33 || o.KeepAge.AsDuration() != time.Hour || o.Objects != 3 || o.Bytes == 0 || o.Pruned != 3 || o.FirstSeq != 3 || o.LastSeq != 5 {
		t.Errorf("topic = %v", o)
	}
	if _, err := api.LeaveObjectTopic(soon(t), &weftv1.LeaveObjectTopicRequest{Topic: "blocks"}); err != nil {
		t.Fatal(err)
	}
	_, err = api.LeaveObjectTopic(soon(t), &weftv1.LeaveObjectTopicRequest{Topic: "blocks"})
	wantReason(t, err, connect.CodeNotFound, "object.no_topic")
}

func TestAnApplicationDecidesThroughTheAPI(t *testing.T) {
	a := start(t, withAPI, carrying("blocks", external))
	api := client(t, a)
	for verdict, reason := range map[string]string{"accept": "", "reject": "object.invalid", "ignore": "failed"} {
		candidates, err := api.Candidates(soon(t), &weftv1.CandidatesRequest{Topic: "blocks"})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := api.ObjectPut(soon(t), &weftv1.ObjectPutRequest{Topic: "blocks", Text: verdict})
			done <- err
		}()
		if !candidates.Receive() {
			t.Fatal(candidates.Err())
		}
		c := candidates.Msg()
		if c.From != a.ID().String() || string(c.Object.Payload) != verdict || !c.Until.AsTime().After(time.Now()) {
			t.Errorf("candidate %v", c)
		}
		if _, err := api.Decide(soon(t), &weftv1.DecideRequest{Cid: c.Object.Cid, Verdict: verdict, Reason: "as told"}); err != nil {
			t.Fatal(err)
		}
		candidates.Close()
		err = <-done
		if x := admin.ExplanationOf(err); x.GetReason() != reason || (err == nil) != (reason == "") {
			t.Errorf("%s: %v (%q), want %q", verdict, err, x.GetReason(), reason)
		}
	}
}

func TestAnApplicationDecidesInOneStream(t *testing.T) {
	a := start(t, withAPI, carrying("blocks", external))
	api := client(t, a)
	stream, err := api.Validate(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&weftv1.ValidateRequest{Topic: "blocks"}); err != nil {
		t.Fatal(err)
	}
	const n = 20
	done := make(chan error, n)
	for i := range n {
		go func() {
			_, err := api.ObjectPut(soon(t), &weftv1.ObjectPutRequest{Topic: "blocks", Text: fmt.Sprint(i)})
			done <- err
		}()
	}
	for range n {
		m, err := stream.Receive()
		if err != nil {
			t.Fatal(err)
		}
		decision := &weftv1.DecideRequest{Cid: m.Candidate.Object.Cid, Verdict: "accept"}
		for range 2 { // the second comes too late, and harms nothing
			if err := stream.Send(&weftv1.ValidateRequest{Decision: decision}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range n {
		if err := <-done; err != nil {
			t.Error("put:", err)
		}
	}
	if err := stream.CloseRequest(); err != nil {
		t.Fatal(err)
	}
	if m, err := stream.Receive(); !errors.Is(err, io.EOF) {
		t.Errorf("after our end: %v, %v", m, err)
	}
}

func TestAWrongDecisionEndsItsStreamWithTheReason(t *testing.T) {
	a := start(t, withAPI, carrying("blocks", external), carrying("free"))
	for name, messages := range map[string][]*weftv1.ValidateRequest{
		"no decision":    {{Topic: "blocks"}, {}},
		"no verdict":     {{}, {Decision: &weftv1.DecideRequest{Cid: node.ObjectID{}.String()}}},
		"decision first": {{Decision: &weftv1.DecideRequest{}}},
		"not external":   {{Topic: "free"}},
	} {
		stream, err := client(t, a).Validate(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			_ = stream.Send(m) // Receive tells the reason
		}
		_, err = stream.Receive()
		if x := admin.ExplanationOf(err); x.GetReason() != "argument" {
			t.Errorf("%s: %v", name, err)
		}
		_ = stream.CloseRequest()
	}
}

// A node that closes does not wait for applications.
func TestANodeClosesUnderOpenObjectStreams(t *testing.T) {
	a := start(t, withAPI, carrying("blocks", external))
	api := client(t, a)
	stream, err := api.Validate(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&weftv1.ValidateRequest{}); err != nil {
		t.Fatal(err)
	}
	sub, err := api.SubscribeObjects(soon(t), &weftv1.SubscribeObjectsRequest{Topic: "blocks"})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := a.Close(); err != nil || time.Since(began) > 10*time.Second {
		t.Errorf("closed in %v: %v", time.Since(began), err)
	}
	if _, err := stream.Receive(); !errors.Is(err, admin.ErrUnreachable) {
		t.Errorf("the stream of decisions ends with %v", err)
	}
	if sub.Receive() || !errors.Is(sub.Err(), admin.ErrUnreachable) {
		t.Errorf("the subscription ends with %v", sub.Err())
	}
}
