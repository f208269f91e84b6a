package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx := interruptible(context.Background())
	os.Exit(newApp().main(ctx, os.Args[1:]))
}

// interruptible returns a context that the first SIGINT or SIGTERM cancels. A
// second signal ends the process at once, also where it is PID 1 and the kernel
// would ignore the signal's default action.
func interruptible(parent context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel(errInterrupted)
		<-signals
		os.Exit(exitFailed)
	}()
	return ctx
}
