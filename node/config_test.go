package node_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/weftnet/weft/node"
)

func TestDefaultConfigIsValid(t *testing.T) {
	if err := node.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestABadSettingIsNamedWithARemedy(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*node.Config)
		want   []string
	}{
		"empty network":       {func(c *node.Config) { c.Network = "" }, []string{"Network", "letters"}},
		"network with slash":  {func(c *node.Config) { c.Network = "a/b" }, []string{"Network", "a/b"}},
		"no listen":           {func(c *node.Config) { c.Listen = nil }, []string{"Listen", "/ip4/0.0.0.0/tcp/30303"}},
		"listen not an addr":  {func(c *node.Config) { c.Listen = []string{"0.0.0.0:1"} }, []string{"Listen", "0.0.0.0:1", "/tcp/"}},
		"announce not one":    {func(c *node.Config) { c.Announce = []string{"example.org"} }, []string{"Announce", "example.org"}},
		"bootstrap not one":   {func(c *node.Config) { c.Bootstrap = []string{"example.org"} }, []string{"Bootstrap", "example.org"}},
		"bootstrap sans peer": {func(c *node.Config) { c.Bootstrap = []string{"/ip4/127.0.0.1/tcp/1"} }, []string{"Bootstrap", "add /p2p/PEERID"}},
		"bootstrap no file":   {func(c *node.Config) { c.Bootstrap = []string{"@"} }, []string{"Bootstrap", "@FILE"}},
		"scope":               {func(c *node.Config) { c.Scope = "mars" }, []string{"Scope", "mars", "public"}},
		"no peers":            {func(c *node.Config) { c.MaxPeers = 0 }, []string{"MaxPeers", "1 or more"}},
		"degree over peers":   {func(c *node.Config) { c.TargetDegree = 51 }, []string{"TargetDegree", "51"}},
		"17 MiB messages":     {func(c *node.Config) { c.MaxMessageBytes = 17 << 20 }, []string{"MaxMessageBytes", "16777216"}},
		"dial timeout":        {func(c *node.Config) { c.DialTimeout = 0 }, []string{"DialTimeout", "10s"}},
		"conns per IP":        {func(c *node.Config) { c.ConnsPerIP = 0 }, []string{"ConnsPerIP"}},
		"empty topic":         {func(c *node.Config) { c.Topics = []string{""} }, []string{"Topics", "name a topic"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := node.DefaultConfig()
			tc.change(&cfg)
			_, err := node.New(cfg)
			if !errors.Is(err, node.ErrConfig) {
				t.Fatalf("New = %v, want ErrConfig", err)
			}
			for _, w := range tc.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not mention %q", err, w)
				}
			}
		})
	}
}

func TestABareDNSAddrNeedsNoPeerID(t *testing.T) {
	cfg := node.DefaultConfig()
	cfg.Bootstrap = []string{"/dnsaddr/boot.example.org"}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}
