package node

import (
	"testing"
	"time"
)

func TestTheLogShowsPartOfAFloodOfNotices(t *testing.T) {
	var l noticeLog
	now := time.Now()
	flood := func() (lines int) {
		for range 10 * noticeBurst {
			if _, show := l.show(now, "peer.left"); show {
				lines++
			}
		}
		return lines
	}
	if n := flood(); n != noticeBurst {
		t.Errorf("%d lines at once, want %d", n, noticeBurst)
	}
	if _, show := l.show(now, "bootstrap.unreachable"); !show {
		t.Error("another kind is hidden")
	}
	now = now.Add(time.Minute)
	if hidden, show := l.show(now, "peer.left"); !show || hidden != 9*noticeBurst {
		t.Errorf("a minute later shown %v, %d hidden before, want %d", show, hidden, 9*noticeBurst)
	}
	if n := flood(); n != 59 {
		t.Errorf("%d more lines a minute later, want 59", n)
	}
}
