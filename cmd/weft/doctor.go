package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/weftnet/weft/node"
)

// finding is what the doctor says about one thing. In JSON it resembles the API's
// Check.
type finding struct {
	Check  string `json:"name"`
	State  string `json:"state"` // ok, warn or fail
	Detail string `json:"detail"`
	Remedy string `json:"remedy"`
}

// The states of a finding.
const (
	stateOK   = "ok"
	stateWarn = "warn" // works, but not at its best
	stateFail = "fail" // a node with these settings cannot do its work
)

func fine(detail string, args ...any) finding {
	return finding{State: stateOK, Detail: fmt.Sprintf(detail, args...)}
}

func warning(remedy, detail string, args ...any) finding {
	return finding{State: stateWarn, Remedy: remedy, Detail: fmt.Sprintf(detail, args...)}
}

func failure(remedy, detail string, args ...any) finding {
	return finding{State: stateFail, Remedy: remedy, Detail: fmt.Sprintf(detail, args...)}
}

func (a *app) doctorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check whether a node can run here, and say what to mend",
		Long: "Check the settings, the data directory, the keys, the files of members and validators,\n" +
			"the ports, the API, the clock and the limits of this machine, as `weft run` with the\n" +
			"same flags would meet them. Exits 1 when a check fails.",
		Args: takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context()) },
	}
	a.manyFlags(c)
	return c
}

func (a *app) doctor(ctx context.Context) error {
	cfg, err := a.nodeConfig()
	if err != nil {
		return err
	}
	findings := a.examine(ctx, cfg)
	failed := 0
	for _, f := range findings {
		if f.State == stateFail {
			failed++
		}
	}
	if err := a.showFindings(findings, failed == 0); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed; do what each says on stdout", failed, len(findings))
	}
	return nil
}

func (a *app) examine(ctx context.Context, cfg node.Config) []finding {
	api := a.checkAPI(ctx)
	running := api.State == stateOK
	key, id := checkKey(cfg)
	out := []finding{
		named("data directory", checkDataDir(cfg)),
		named("key", key),
	}
	out = append(append(out, a.checkLists(cfg, id)...), named("API", api))
	for _, listen := range cfg.Listen {
		out = append(out, named("listen", checkListen(listen, running)))
	}
	return append(out,
		named("clock", checkClock(time.Now())),
		named("open files", checkOpenFiles(cfg.MaxPeers)),
		named("UDP buffer", checkUDPBuffer(cfg.Listen)),
	)
}

func named(check string, f finding) finding {
	f.Check = check
	return f
}

func (a *app) showFindings(findings []finding, ok bool) error {
	if a.json() {
		return a.printJSON(struct {
			OK     bool      `json:"ok"`
			Checks []finding `json:"checks"`
		}{ok, findings})
	}
	for _, f := range findings {
		line := fmt.Sprintf("%-4s  %s: %s", f.State, f.Check, f.Detail)
		if f.Remedy != "" {
			line += "\n      " + f.Remedy
		}
		if err := a.print(line); err != nil {
			return err
		}
	}
	return nil
}

// Below this many file handles a node with many peers runs short: each link
// takes one, and the store and the API take some hundreds.
const spareHandles = 256

func checkOpenFiles(maxPeers int) finding {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return warning("check `ulimit -n` yourself", "the limit cannot be read: %v", err)
	}
	need := uint64(2*maxPeers + spareHandles)
	if l.Cur >= need {
		return fine("%d may be open, %d suffice", l.Cur, need)
	}
	return failure(fmt.Sprintf("raise it: `ulimit -n %d`, LimitNOFILE= in systemd, or --ulimit nofile=%d in Docker", need, need),
		"only %d may be open, and %d peers need %d", l.Cur, maxPeers, need)
}

// wantUDPBuffer is the receive buffer that quic-go asks for, in bytes
// (https://github.com/quic-go/quic-go/wiki/UDP-Buffer-Sizes).
const wantUDPBuffer = 7 << 20

func checkUDPBuffer(listen []string) finding {
	if !strings.Contains(strings.Join(listen, " "), "/quic-v1") {
		return fine("not needed: no QUIC address to listen on")
	}
	text, err := os.ReadFile("/proc/sys/net/core/rmem_max")
	if errors.Is(err, os.ErrNotExist) {
		return fine("this system has no such limit")
	}
	var limit int
	if _, err := fmt.Sscan(string(text), &limit); err != nil {
		return warning("check net.core.rmem_max yourself", "the limit cannot be read")
	}
	if limit >= wantUDPBuffer {
		return fine("%d bytes", limit)
	}
	return warning(fmt.Sprintf("for fast QUIC: sysctl -w net.core.rmem_max=%d net.core.wmem_max=%d", wantUDPBuffer, wantUDPBuffer),
		"%d bytes at most, %d are better", limit, wantUDPBuffer)
}
