package main

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	"github.com/weftnet/weft/adapters/admin"
	"github.com/weftnet/weft/cmd/weft/internal/settings"
	"github.com/weftnet/weft/node"
)

// The exit codes, a promise to scripts.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2 // the command line, a setting or an argument is wrong
	exitUnreachable = 3 // no daemon answers
	exitTimeout     = 4
	exitUnhealthy   = 5
)

var (
	errInterrupted = errors.New("interrupted")
	errUnhealthy   = errors.New("the node is not healthy")
)

// usageError is a command line that cannot be carried out as it stands.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// exitCode is the one place where an error becomes an exit code.
func exitCode(err error) int {
	var usage *usageError
	var setting *settings.Error
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage), errors.As(err, &setting), errors.Is(err, node.ErrConfig),
		errors.Is(err, admin.ErrAddress), errors.Is(err, admin.ErrExposed):
		return exitUsage
	case errors.Is(err, admin.ErrUnreachable):
		return exitUnreachable
	case errors.Is(err, errUnhealthy):
		return exitUnhealthy
	case errors.Is(err, admin.ErrTimeout), errors.Is(err, errTimedOut), errors.Is(err, context.DeadlineExceeded):
		return exitTimeout
	case connect.CodeOf(err) == connect.CodeInvalidArgument:
		return exitUsage
	}
	return exitFailed
}
