package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
	"github.com/weftnet/weft/node"
)

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

		ValidArgsFunction: a.completes(messageTopics),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.send(cmd, args, f, "publishing", func(ctx context.Context, c *client, data []byte) error {
				return c.publish(ctx, args[0], data, f.timeout)
			})
		},
	}
	c.Flags().StringVarP(&f.file, "file", "f", "", "publish the bytes of this `file`")
	timeoutFlag(c, &f.timeout, 10*time.Second, "how long to wait for somebody to publish to")
	return c
}

// send runs a command that hands over a TOPIC's message.
func (a *app) send(cmd *cobra.Command, args []string, f publishFlags, doing string, send func(context.Context, *client, []byte) error) error {
	data, err := a.payload(cmd, args[1:], f.file)
	if err != nil {
		return err
	}
	return a.patient(cmd, f.timeout, doing, func(ctx context.Context, c *client) error { return send(ctx, c, data) })
}

// payload reads what a command sends from wherever the command line says.
func (a *app) payload(cmd *cobra.Command, args []string, file string) ([]byte, error) {
	switch {
	case (len(args) == 1) == (file != ""):
		return nil, usagef("%s takes one message: DATA, -f FILE, or - for the standard input", cmd.CommandPath())
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
