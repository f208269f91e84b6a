package catchup

import (
	"testing"

	"github.com/weftnet/weft/protocols/core"
)

// shelved is a rig that holds so many objects of the topic a.
func shelved(b *testing.B, count int) *rig {
	r := newRig(b, "a")
	for i := range count {
		r.land("a", idN(i), start)
	}
	r.up(alice)
	return r
}

// The question of a node that holds 20,000 objects of the last half hour.
func BenchmarkAsk20k(b *testing.B) {
	r := shelved(b, 20_000)
	p := r.peers[alice]
	b.ReportAllocs()
	for b.Loop() {
		var out []core.Action
		l := &pull{topic: r.topics["a"], wide: true}
		p.pulls, p.open, p.mayAsk = []*pull{l}, nil, core.Bucket{PerSecond: 1, Most: 1}
		if r.Machine.ask(start, p, &out); len(out) != 1 {
			b.Fatal("nothing is asked")
		}
	}
}

// An answer to an asker that holds all of 20,000, and to one that holds none.
func BenchmarkAnswer20k(b *testing.B) {
	for _, known := range []string{"all", "none"} {
		b.Run(known+" known", func(b *testing.B) {
			r := shelved(b, 20_000)
			q := GetRecent{Request: 1, Topic: "a"}
			if known == "all" {
				l := &pull{topic: r.topics["a"], wide: true}
				r.prepare(start, l)
				q.Known = l.known
			}
			payload, p := q.Append(nil), r.peers[alice]
			b.ReportAllocs()
			for b.Loop() {
				var out []core.Action
				p.mayTell, p.steps = core.Bucket{PerSecond: 1, Most: 1}, core.Bucket{PerSecond: 1, Most: 1}
				r.Receive(start, alice, TypeGetRecent, payload, &out)
				l := out[0].(List)
				ids, next, more := r.walk(l)
				r.Listed(start, alice, l.Request, ids, next, more, &out)
			}
		})
	}
}

func BenchmarkParseRecent(b *testing.B) {
	payload := Recent{Request: 1, IDs: ids(0, MaxIDs), Next: MaxIDs, More: true}.Append(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		if _, err := ParseRecent(payload); err != nil {
			b.Fatal(err)
		}
	}
}

// Deadline and Tick with 100 peers and 100 topics, when nothing is due.
func BenchmarkIdle(b *testing.B) {
	names := make([]string, 100)
	for i := range names {
		names[i] = string(rune('a'+i%26)) + string(rune('a'+i/26))
	}
	r := newRig(b, names...)
	for i := range 100 {
		r.up(core.PeerID(rune('A'+i)), names...)
	}
	b.Run("Deadline", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Deadline()
		}
	})
	b.Run("Tick", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var out []core.Action
			r.Tick(start, &out)
			r.Deadline()
		}
	})
}
