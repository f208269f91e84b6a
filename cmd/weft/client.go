package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/weftnet/weft/adapters/admin"
)

const (
	// answerLimit bounds a question that the daemon answers from memory; chosen
	// because only a hung daemon takes longer.
	answerLimit = 15 * time.Second
	// grace is what a call may take beyond the time that the daemon itself was
	// given, so that its explanation arrives before ours.
	grace = 5 * time.Second
)

// client is a command's way to the daemon, and to its own output.
type client struct {
	*app
	api *admin.Client
}

func (a *app) dial() (*client, error) {
	addr := a.values.Text("api")
	if addr == apiOff {
		return nil, usagef("the API is set to %q (%s); name the daemon's address by --api", apiOff, a.values.Origin("api"))
	}
	token, err := a.token()
	if err != nil {
		return nil, err
	}
	c, err := admin.Dial(addr, token)
	if err != nil {
		return nil, err
	}
	return &client{a, c}, nil
}

// call runs a command that the daemon answers from memory.
func (a *app) call(cmd *cobra.Command, f func(context.Context, *client) error) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), answerLimit)
	defer cancel()
	return a.stream(ctx, f)
}

// patient runs a command that the daemon works on for up to the given time,
// telling a person what is going on.
func (a *app) patient(cmd *cobra.Command, limit time.Duration, doing string, f func(context.Context, *client) error) error {
	if limit <= 0 {
		return usagef("--timeout cannot be %s; give it a positive duration, as 10s", limit)
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), limit+grace)
	defer cancel()
	defer a.progress(doing)()
	return a.stream(ctx, f)
}

// stream runs a command that ends by itself or with the context.
func (a *app) stream(ctx context.Context, f func(context.Context, *client) error) error {
	c, err := a.dial()
	if err != nil {
		return err
	}
	err = f(ctx, c)
	if err != nil && errors.Is(context.Cause(ctx), errInterrupted) {
		return errInterrupted
	}
	return err
}

// done ends a command of whose answer there is nothing to say.
func (c *client) done(m proto.Message, err error) error {
	if err != nil {
		return err
	}
	return c.show(m, func() error { return nil })
}

// timeoutFlag adds --timeout to a command.
func timeoutFlag(cmd *cobra.Command, value *time.Duration, initial time.Duration, usage string) {
	cmd.Flags().DurationVar(value, "timeout", initial, usage)
}

func showTime(d *durationpb.Duration) string {
	if d == nil {
		return "-"
	}
	return latency(d.AsDuration())
}

// progress tells a person at a terminal that something is going on, once it
// takes long enough to wonder. The returned function ends it.
func (a *app) progress(doing string) (stop func()) {
	if !interactive(a.stderr) {
		return func() {}
	}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		a.tell(doing, done)
	}()
	return func() { close(done); <-gone }
}

// wonder is how long a person waits before asking what goes on.
const wonder = 400 * time.Millisecond

func (a *app) tell(doing string, done <-chan struct{}) {
	start, tick := time.Now(), time.NewTicker(wonder)
	defer tick.Stop()
	for {
		select {
		case <-done:
			if time.Since(start) >= wonder {
				fmt.Fprint(a.stderr, "\r\x1b[K") // wipes the line
			}
			return
		case <-tick.C:
			fmt.Fprintf(a.stderr, "\r\x1b[K%s… %s", doing, time.Since(start).Truncate(time.Second))
		}
	}
}
