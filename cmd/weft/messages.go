package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/node"
)

func (a *app) topicsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "topics",
		Short: "List the topics that the node takes part in",
		Args:  takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context, c *client) error { return c.topics(ctx) })
		},
	}
}

func (c *client) topics(ctx context.Context) error {
	m, err := c.api.Topics(ctx, &weftv1.TopicsRequest{})
	if err != nil {
		return err
	}
	return c.show(m, func() error {
		var rows [][]string
		for _, t := range m.GetTopics() {
			rows = append(rows, []string{t.GetName(), strconv.Itoa(len(t.GetPeers())), number(t.GetMesh()), partIn(t),
				number(t.GetReceived()), number(t.GetPublished()), number(t.GetDuplicates())})
		}
		return c.table("TOPIC PEERS MESH PART RECEIVED PUBLISHED DUPLICATES", rows)
	})
}

func number[N uint32 | uint64](n N) string { return strconv.FormatUint(uint64(n), 10) }

func partIn(t *weftv1.Topic) string {
	switch {
	case t.GetJoined() && t.GetSubscribed():
		return "joined,subscribed"
	case t.GetSubscribed():
		return "subscribed"
	}
	return "joined"
}

type publishFlags struct {
	file    string
	timeout time.Duration
}

func (a *app) publishCommand() *cobra.Command {
	var f publishFlags
	c := &cobra.Command{
		Use:   "publish TOPIC (DATA | -f FILE | -)",
		Short: "Publish one message on a topic",
		Long: "Publish one message on a topic: the argument's bytes, a file's, or those of the standard\n" +
			"input (-). Waits until somebody who takes part in the topic is known, at most --timeout\n" +
			"(exit code 4), and returns once the message is handed over: no promise of delivery.",
		Example: "  weft publish news hello\n  weft publish files -f photo.jpg\n  date | weft publish news -",
		Args:    takes(1, 2, "a TOPIC and DATA, -f FILE, or -"),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := a.payload(args[1:], f.file)
			if err != nil {
				return err
			}
			return a.patient(cmd, f.timeout, "publishing", func(ctx context.Context, c *client) error {
				return c.publish(ctx, args[0], data, f.timeout)
			})
		},
	}
	c.Flags().StringVarP(&f.file, "file", "f", "", "publish the bytes of this `file`")
	timeoutFlag(c, &f.timeout, 10*time.Second, "how long to wait for somebody to publish to")
	return c
}

// payload reads the message from wherever the command line says.
func (a *app) payload(args []string, file string) ([]byte, error) {
	switch {
	case (len(args) == 1) == (file != ""):
		return nil, usagef("weft publish takes one message: DATA, -f FILE, or - for the standard input")
	case file != "":
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("the message cannot be read: %w; check -f", err)
		}
		defer f.Close()
		return readMessage(f)
	case args[0] == "-":
		return readMessage(a.stdin)
	}
	return []byte(args[0]), nil
}

// readMessage reads no more than could ever be published.
func readMessage(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, node.MaxMessageLimit+1))
	if err != nil {
		return nil, fmt.Errorf("the message cannot be read: %w", err)
	}
	if len(data) > node.MaxMessageLimit {
		return nil, usagef("the message has more than %s, the most that any node takes; split it", volume(node.MaxMessageLimit))
	}
	return data, nil
}

func (c *client) publish(ctx context.Context, topic string, data []byte, timeout time.Duration) error {
	m, err := c.api.Publish(ctx, &weftv1.PublishRequest{Topic: topic, Data: data, Timeout: durationpb.New(timeout)})
	if err != nil {
		return err
	}
	return c.show(m, func() error {
		if interactive(c.stderr) {
			fmt.Fprintf(c.stderr, "published %s to %d peers of the topic\n", volume(uint64(len(data))), m.GetPeers())
		}
		return nil
	})
}
