package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

// streamFlags say when a command that prints as things come ends.
type streamFlags struct {
	count   uint64
	timeout time.Duration
}

func (f *streamFlags) add(cmd *cobra.Command, things string) {
	cmd.Flags().Uint64VarP(&f.count, "count", "n", 0, "end after this many "+things+" (0: never)")
	timeoutFlag(cmd, &f.timeout, 0, "give up after this time, with exit code 4 (0: never)")
}

// errTimedOut is a --timeout of ours that ran out.
var errTimedOut = errors.New("timeout")

// errUnread says that whoever read our output has gone.
var errUnread = errors.New("nobody reads the output")

// watch runs a stream until it ends, is interrupted, or its time is up.
func (a *app) watch(cmd *cobra.Command, f streamFlags, run func(context.Context, *client) error) error {
	ctx := cmd.Context()
	if f.timeout < 0 {
		return usagef("--timeout cannot be %s; give it a positive duration, as 10s", f.timeout)
	}
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, f.timeout, errTimedOut)
		defer cancel()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if f, isFile := a.stdout.(*os.File); isFile {
		go whenUnread(ctx, f, func() { cancel(errUnread) })
	}
	err := a.stream(ctx, run)
	switch {
	case errors.Is(context.Cause(ctx), errUnread):
		return nil // as with head
	case errors.Is(err, errInterrupted) && f.count == 0:
		return nil // that is how an endless stream ends
	case err != nil && f.timeout > 0 && (errors.Is(context.Cause(ctx), errTimedOut) || connect.CodeOf(err) == connect.CodeDeadlineExceeded):
		// the daemon knows the deadline too and may be the first to notice
		return fmt.Errorf("%w: %s have passed; raise --timeout to wait longer", errTimedOut, f.timeout)
	}
	return err
}

// follow prints what a stream brings, as many as asked for.
func follow[M any](stream *connect.ServerStreamForClient[M], count uint64, show func(*M) error) error {
	defer stream.Close()
	for n := uint64(0); (count == 0 || n < count) && stream.Receive(); n++ {
		if err := show(stream.Msg()); err != nil {
			return err
		}
	}
	return stream.Err()
}

func (a *app) subscribeCommand() *cobra.Command {
	var f streamFlags
	var raw bool
	var after uint64
	c := &cobra.Command{
		Use:   "subscribe TOPIC",
		Short: "Print the messages or objects of a topic as they come",
		Long: "Print the messages of a topic as they come, the node's own included: a payload a line;\n" +
			"with -o json an object a line, the payload in base64; with --raw the exact bytes, one\n" +
			"after the other.\n\n" +
			"Of a topic of objects, print each once it is valid, after all that it depends on. With\n" +
			"--after N begin with those kept after number N, 0 for all: -o json tells the number as\n" +
			"seq, and a reader that remembers it loses nothing over restarts of itself and the node.",
		Example: "  weft subscribe news\n  weft subscribe files --raw --count 1 > photo.jpg\n  weft subscribe blocks --after 0 -o json",
		Args:    takes(1, 1, "one TOPIC"),

		ValidArgsFunction: a.completes(allTopics),
		RunE: func(cmd *cobra.Command, args []string) error {
			if raw && a.json() {
				return usagef("--raw and -o json exclude each other; choose one")
			}
			from := &after
			if !cmd.Flags().Changed("after") {
				from = nil
			}
			return a.watch(cmd, f, func(ctx context.Context, c *client) error { return c.subscribe(ctx, args[0], from, f.count, raw) })
		},
	}
	f.add(c, "messages")
	c.Flags().Uint64Var(&after, "after", 0, "begin after the object of this sequence `number`, with 0 at the first")
	c.Flags().BoolVar(&raw, "raw", false, "print the exact bytes, without line ends between messages")
	return c
}

// subscribe reads whichever the topic has, messages or objects.
func (c *client) subscribe(ctx context.Context, topic string, after *uint64, count uint64, raw bool) error {
	m, err := c.api.Topics(ctx, &weftv1.TopicsRequest{Topic: topic})
	switch {
	case err != nil && connect.CodeOf(err) != connect.CodeNotFound:
		return err
	case len(m.GetObjectTopics()) > 0:
		return c.subscribeObjects(ctx, topic, after, count, raw)
	case after != nil:
		return fmt.Errorf("%q is no topic of objects of this node, and others keep nothing to begin after; `weft topics` lists them", topic)
	}
	return c.subscribeMessages(ctx, topic, count, raw)
}

func (c *client) subscribeObjects(ctx context.Context, topic string, after *uint64, count uint64, raw bool) error {
	stream, err := c.api.SubscribeObjects(ctx, &weftv1.SubscribeObjectsRequest{Topic: topic, After: after})
	if err != nil {
		return err
	}
	return follow(stream, count, func(m *weftv1.SubscribeObjectsResponse) error {
		if m.GetMissed() > 0 {
			c.log.Warn("objects are not kept any more and were passed over", "missed", m.GetMissed(), "before", m.GetSeq())
		}
		return c.printPayload(m, m.GetObject().GetPayload(), raw)
	})
}

func (c *client) subscribeMessages(ctx context.Context, topic string, count uint64, raw bool) error {
	stream, err := c.api.Subscribe(ctx, &weftv1.SubscribeRequest{Topic: topic})
	if err != nil {
		return err
	}
	missed := uint64(0)
	return follow(stream, count, func(m *weftv1.SubscribeResponse) error {
		if m.GetDropped() > missed {
			c.log.Warn("messages were lost: this subscriber is too slow", "lost", m.GetDropped()-missed)
			missed = m.GetDropped()
		}
		return c.printPayload(m, m.GetData(), raw)
	})
}

// printPayload prints what a message carries.
func (c *client) printPayload(m proto.Message, data []byte, raw bool) error {
	switch {
	case raw:
		_, err := c.stdout.Write(data)
		return err
	case interactive(c.stdout):
		return c.lineOf(m, func() string { return harmless(string(data)) })
	}
	return c.lineOf(m, func() string { return string(data) })
}

type eventFlags struct {
	streamFlags
	after uint64
	kinds []string
	past  bool
}

func (a *app) eventsCommand() *cobra.Command {
	var f eventFlags
	c := &cobra.Command{
		Use:     "events",
		Short:   "Print what happens to the node",
		Long:    "Print what happened to the node lately, and what happens from now on.",
		Example: "  weft events --kind peer\n  weft events --past -o json",
		Args:    takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.watch(cmd, f.streamFlags, func(ctx context.Context, c *client) error { return c.events(ctx, f) })
		},
	}
	f.add(c, "events")
	c.Flags().Uint64Var(&f.after, "after", 0, "begin after the event of this number")
	c.Flags().StringArrayVar(&f.kinds, "kind", nil, "only events of this `kind`, as peer or peer.connected (may be repeated)")
	c.Flags().BoolVar(&f.past, "past", false, "end after what has happened")
	return c
}

func (c *client) events(ctx context.Context, f eventFlags) error {
	stream, err := c.api.Events(ctx, &weftv1.EventsRequest{After: f.after, Kinds: f.kinds, PastOnly: f.past})
	if err != nil {
		return err
	}
	return follow(stream, f.count, func(e *weftv1.EventsResponse) error {
		return c.lineOf(e, func() string {
			return strings.Join([]string{e.GetTime().AsTime().Local().Format(time.DateTime), e.GetKind(),
				dash(shortID(e.GetPeerId())), harmless(e.GetText())}, "  ")
		})
	})
}
