package node

import (
	"time"

	"github.com/weftnet/weft/protocols/core"
)

// Of each kind of notice noticeBurst lines are logged at once, and then one in a
// second. Chosen so that everyone shows who joins a mesh of 500, while strangers that
// come and go all day write a dozen megabytes.
const (
	noticeBurst  = 512
	noticePerSec = 1
)

// noticeLog bounds the lines that notices write into the log. The kinds are the
// machines' own, a dozen.
type noticeLog struct{ kinds map[string]*shown }

type shown struct {
	core.Bucket
	hidden int // since the last line
}

// show says whether to log a notice, and how many of its kind were not before.
func (l *noticeLog) show(now time.Time, kind string) (hidden int, show bool) {
	if l.kinds == nil {
		l.kinds = make(map[string]*shown)
	}
	s := l.kinds[kind]
	if s == nil {
		s = &shown{Bucket: core.Bucket{PerSecond: noticePerSec, Most: noticeBurst}}
		l.kinds[kind] = s
	}
	if !s.Take(now) {
		s.hidden++
		return 0, false
	}
	hidden, s.hidden = s.hidden, 0
	return hidden, true
}
