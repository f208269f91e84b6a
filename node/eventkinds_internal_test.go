package node

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestKindsOfEventsMayBeOneOrAGroup(t *testing.T) {
	for kinds, ok := range map[string]bool{
		"": true, "peer": true, "peer.connected": true, "node bootstrap.fallback": true,
		"nope": false, "peer.nope": false, "pee": false, "peer.": false, "Peer": false, "peer nope": false,
	} {
		err := checkKinds(strings.Fields(kinds))
		if (err == nil) != ok || err != nil && !errors.Is(err, ErrArgument) {
			t.Errorf("%q: %v, want it accepted: %v", kinds, err, ok)
		}
		if err != nil && !strings.Contains(err.Error(), "bootstrap.unreachable, ") {
			t.Errorf("%q: %v: it does not list the kinds", kinds, err)
		}
	}
}

// Whoever emits a new kind names it in EventKinds and in
// docs/operations.md.
func TestEveryKindOfEventIsNamed(t *testing.T) {
	emitted := regexp.MustCompile(`(?:emit\(|notify\(out, |Notice\{Kind: )"([a-z_]+\.[a-z_]+)"`)
	var found []string
	for _, pattern := range []string{"*.go", "../protocols/*/*.go", "../adapters/*/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range emitted.FindAllStringSubmatch(string(text), -1) {
				found = append(found, m[1])
			}
		}
	}
	slices.Sort(found)
	listed := slices.Sorted(slices.Values(EventKinds))
	if found = slices.Compact(found); !slices.Equal(found, listed) {
		t.Errorf("emitted are %q, listed %q", found, listed)
	}
	manual, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range EventKinds {
		group, rest, _ := strings.Cut(kind, ".")
		if !strings.Contains(string(manual), "`"+kind+"`") && !(strings.Contains(string(manual), "`"+group+".") && strings.Contains(string(manual), "`."+rest+"`")) {
			t.Errorf("docs/operations.md does not name %s", kind)
		}
	}
}
