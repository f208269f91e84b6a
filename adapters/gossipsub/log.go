package gossipsub

import (
	"context"
	"log/slog"
)

// discard swallows pubsub's log of every single message.
var discard = slog.New(slog.DiscardHandler)

// quiet makes pubsub's Info lines Debug ones: they are routine (a slow reader, a
// full queue, shutdown), come in floods, and are counted in Stats.
func quiet(l *slog.Logger) *slog.Logger {
	return slog.New(lowered{l.Handler()}).With("component", "pubsub")
}

type lowered struct{ slog.Handler }

func lower(l slog.Level) slog.Level {
	if l == slog.LevelInfo {
		return slog.LevelDebug
	}
	return l
}

func (h lowered) Enabled(ctx context.Context, l slog.Level) bool {
	return h.Handler.Enabled(ctx, lower(l))
}

// noTags is what pubsub warns of at every message when the connection manager
// keeps no tags. Ours trims no connections, so nothing is lost.
const noTags = "error bumping delivery tag"

func (h lowered) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == noTags {
		return nil
	}
	r.Level = lower(r.Level)
	return h.Handler.Handle(ctx, r)
}

func (h lowered) WithAttrs(as []slog.Attr) slog.Handler { return lowered{h.Handler.WithAttrs(as)} }

func (h lowered) WithGroup(name string) slog.Handler { return lowered{h.Handler.WithGroup(name)} }
