package node

import "testing"

func TestStrangersCannotPushNewsOutOfTheHistory(t *testing.T) {
	h := newEventHub()
	h.emit("bootstrap.unreachable", "b", "")
	h.emit("peer.banned", "p", "")
	for range 10 * eventHistory {
		h.emit("peer.connected", "p", "")
		h.emit("peer.offence", "p", "")
	}
	h.emit("claim.unsigned", "", "")
	have := map[string]int{}
	for i, e := range h.recent {
		have[e.Kind]++
		if i > 0 && e.Seq <= h.recent[i-1].Seq {
			t.Fatalf("event %d comes after %d", e.Seq, h.recent[i-1].Seq)
		}
	}
	for _, kind := range []string{"bootstrap.unreachable", "peer.banned", "claim.unsigned"} {
		if have[kind] != 1 {
			t.Errorf("%s is lost", kind)
		}
	}
	if len(h.recent) != eventHistory {
		t.Errorf("%d events are kept, want %d", len(h.recent), eventHistory)
	}
}

func TestEverydayEventsKeepHalfOfTheHistory(t *testing.T) {
	h := newEventHub()
	for range eventHistory {
		h.emit("peer.connected", "p", "")
	}
	for range 10 * eventHistory {
		h.emit("bootstrap.unreachable", "b", "")
	}
	if h.everyday != eventHistory/2 {
		t.Errorf("%d everyday events are kept, want %d", h.everyday, eventHistory/2)
	}
}
