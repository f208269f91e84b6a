package devnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/weftnet/weft/adapters/leaktest"
	"github.com/weftnet/weft/node"
)

// patience bounds every wait; chosen far above what a step takes.
const patience = 30 * time.Second

func TestMain(m *testing.M) { leaktest.Main(m) }

func testConfig(nodes int) Config {
	base := node.DefaultConfig()
	base.Topics = []string{"news"}
	base.Logger = slog.New(slog.DiscardHandler)
	return Config{Nodes: nodes, Base: base}
}

func up(t *testing.T, cfg Config) *Net {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	n, err := Up(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := n.WaitJoined(ctx); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestEveryNodeJoinsAndHasAnAPIOfItsOwn(t *testing.T) {
	rows := up(t, testConfig(8)).Rows()
	apis := map[string]bool{}
	for i, r := range rows {
		if r.Node != i+1 || r.Peers == 0 || len(r.Topics) != 1 || r.Topics[0].Peers == 0 || r.Addr == "" {
			t.Errorf("row %d: %+v", i, r)
		}
		apis[r.API] = true
	}
	if len(apis) != 8 {
		t.Errorf("%d different APIs, want 8", len(apis))
	}
}

func TestAPIsTakeTheWantedPorts(t *testing.T) {
	cfg := testConfig(2)
	cfg.APIBasePort = freePorts(t)
	for i, r := range up(t, cfg).Rows() {
		if want := fmt.Sprintf("127.0.0.1:%d", cfg.APIBasePort+i); r.API != want {
			t.Errorf("node %d has API %s, want %s", i+1, r.API, want)
		}
	}
}

// freePorts finds two neighbouring ports that nobody has, below those that the system
// hands out to others meanwhile.
func freePorts(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 10_000 + rand.N(20_000)
		first, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		second, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		first.Close()
		if err == nil {
			second.Close()
			return port
		}
	}
	t.Fatal("no two neighbouring ports are free")
	return 0
}

func TestRatesFollowTheChatter(t *testing.T) {
	n := up(t, testConfig(3))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Chatter(ctx, "news", 100) }()
	deadline := time.Now().Add(patience)
	for total(n.Rows()).Rate == 0 {
		if time.Now().After(deadline) {
			t.Fatal("no node counts a message")
		}
		time.Sleep(joinPoll)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestANetworkOfOneHasJoined(t *testing.T) {
	if n := up(t, testConfig(1)); n.Joined() != 1 {
		t.Error("it has not")
	}
}

func TestAStartThatFailsClosesWhatHadStarted(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg := testConfig(3)
	cfg.APIBasePort = taken.Addr().(*net.TCPAddr).Port - 2 // the last node's
	if n, err := Up(t.Context(), cfg); err == nil {
		t.Error(errors.Join(errors.New("it started"), n.Close()))
	}
}

func TestImpossibleNetworksAreRefused(t *testing.T) {
	for _, c := range []struct{ nodes, port int }{{0, 0}, {-1, 0}, {MaxNodes + 1, 0}, {5, -1}, {5, 65532}} {
		cfg := testConfig(c.nodes)
		cfg.APIBasePort = c.port
		if n, err := Up(t.Context(), cfg); err == nil {
			t.Errorf("%+v: %v", c, errors.Join(errors.New("it started"), n.Close()))
		}
	}
	if err := (Config{Nodes: 4, APIBasePort: 65532}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestATableFitsItsLines(t *testing.T) {
	rows := make([]Row, 20)
	for i := range rows {
		rows[i] = Row{Node: i + 1, ID: "12D3KooWabcdefghij", API: "127.0.0.1:1", Peers: 2, Rate: 0.5, Messages: 3,
			Topics: []Topic{{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}}}
	}
	for lines, want := range map[int]int{0: 22, 10: 10, 22: 22, 23: 22, 1: 3} {
		var out bytes.Buffer
		if err := Table(&out, rows, lines); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(out.String(), "\n"); got != want {
			t.Errorf("asked for %d lines: got %d, want %d:\n%s", lines, got, want, &out)
		}
	}
	var out bytes.Buffer
	if err := Table(&out, rows, 6); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"…abcdefghij", "a:1 b:2 c:3 …", "and 17 more", "mean 2.0", "10.0", "60"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &out)
		}
	}
}
