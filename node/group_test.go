package node_test

import (
	"errors"
	"testing"

	"github.com/weftnet/weft/node"
)

func TestParseGroup(t *testing.T) {
	for text, want := range map[string]node.Group{
		"8.8.4.4": "8.8.4.0/24", "8.8.4.0/24": "8.8.4.0/24", "8.8.4.9/24": "8.8.4.0/24", "8.8.4.4/32": "8.8.4.0/24",
		"2600:1:2:3::4": "2600:1:2::/48", "2600:1:2::/48": "2600:1:2::/48", "::ffff:8.8.4.4": "8.8.4.0/24",
		"8.8.0.0/16": "", "2600::/32": "", "": "", "8.8.4": "", "example.com": "", "8.8.4.0/240": "",
		"10.1.2.3": "", "127.0.0.1": "", "fd00::1": "", "::1": "", "192.168.1.0/24": "",
	} {
		got, err := node.ParseGroup(text)
		if got != want || (err != nil) != (want == "") || err != nil && !errors.Is(err, node.ErrArgument) {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func FuzzParseGroup(f *testing.F) {
	for _, s := range []string{"8.8.4.0/24", "2600::/48", "::ffff:1.2.3.4/120", "fe80::1%eth0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := node.ParseGroup(text)
		if err != nil {
			return
		}
		if again, err := node.ParseGroup(string(g)); err != nil || again != g {
			t.Errorf("%q gives %q, which gives %q, %v", text, g, again, err)
		}
	})
}
