package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/weftnet/weft/cmd/weft/internal/settings"
)

// app is one run of the program: its streams, and what the command line set up
// before a command runs.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string

	values  *settings.Values
	network networkFile
	level   *slog.LevelVar
	log     *slog.Logger
	closing atomic.Bool // the node is being closed
}

func newApp() *app {
	return &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ()}
}

// main runs one command line and returns the exit code.
func (a *app) main(ctx context.Context, args []string) int {
	root := a.rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(a.stderr, "weft:", harmless(oneLine(err.Error())))
	return exitCode(err)
}

// oneLine keeps an error on its line, for the grep that looks for it.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// prepare runs before every command: settings, then the log.
func (a *app) prepare(cmd *cobra.Command, _ []string) (err error) {
	if a.values, err = loadSettings(a.environ, cmd.Flags()); err != nil {
		return err
	}
	a.openLog()
	if cmd.Flags().Lookup("network") == nil {
		return nil // it is no concern of the command
	}
	return a.openNetwork()
}

// interactive tells whether a stream is a terminal, where progress and tables
// that redraw make sense.
func interactive(stream any) bool {
	f, isFile := stream.(*os.File)
	return isFile && term.IsTerminal(int(f.Fd()))
}

// flagNames lists the flags of a command, for suggestions.
func flagNames(fs *pflag.FlagSet) (names []string) {
	fs.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}
