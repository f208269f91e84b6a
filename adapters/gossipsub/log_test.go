package gossipsub

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestPubsubsRoutineIsNotNews(t *testing.T) {
	var out bytes.Buffer
	log := quiet(slog.New(slog.NewTextHandler(&out, nil)))
	log.Info("a queue is full")
	log.Warn(noTags, "err", "no decaying tag registered for topic news")
	log.Warn("slow heartbeat")
	if got := strings.Count(out.String(), "\n"); got != 1 || !strings.Contains(out.String(), "slow heartbeat") {
		t.Errorf("the log has %d lines, want only the slow heartbeat:\n%s", got, &out)
	}
}
