package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/weftnet/weft/adapters/admin"
	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

// oneNode runs a daemon in this process and returns its API and how to stop it.
func oneNode(t *testing.T) (api string, stop func() int) {
	t.Helper()
	out := new(safeBuffer)
	stop, _ = background(t, out, "devnet", "up", "-n", "1")
	await(t, "summary", func() bool { return strings.Contains(out.String(), "nodes joined") })
	_, rest, _ := strings.Cut(out.String(), "--api ")
	return strings.Fields(rest)[0], stop
}

// subscribing runs `weft subscribe` and waits until the node knows of it.
func subscribing(t *testing.T, api string, args ...string) (interrupt func() int, stderr *safeBuffer) {
	t.Helper()
	interrupt, stderr = background(t, new(safeBuffer), append([]string{"subscribe", "news", "--api", api}, args...)...)
	c, err := admin.Dial(api, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	await(t, "subscription", func() bool {
		m, err := c.Topics(t.Context(), &weftv1.TopicsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(m.GetTopics(), func(t *weftv1.Topic) bool { return t.GetName() == "news" && t.GetSubscribed() })
	})
	return interrupt, stderr
}

func TestAnEndlessStreamEndsWellByInterrupt(t *testing.T) {
	api, _ := oneNode(t)
	interrupt, stderr := subscribing(t, api)
	if code := interrupt(); code != exitOK || stderr.String() != "" {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}

func TestAStreamShortOfItsCountFailsByInterrupt(t *testing.T) {
	api, _ := oneNode(t)
	interrupt, stderr := subscribing(t, api, "--count", "1")
	if code := interrupt(); code != exitFailed || stderr.String() != "weft: interrupted\n" {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}

func TestAStreamWhoseDaemonStopsSaysSo(t *testing.T) {
	api, stop := oneNode(t)
	end, stderr := subscribing(t, api)
	if code := stop(); code != exitOK {
		t.Fatalf("the daemon's exit code is %d", code)
	}
	await(t, "end of the stream", func() bool { return stderr.String() != "" })
	if code := end(); code != exitUnreachable || !strings.Contains(stderr.String(), "the node is stopping") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}

func TestAClosedOutputEndsACommand(t *testing.T) {
	a := &app{stdout: failingWriter{}}
	if err := a.print("data"); !errors.Is(err, errFull) {
		t.Errorf("got %v, want the writer's error", err)
	}
}

var errFull = errors.New("no space left on device")

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errFull }
