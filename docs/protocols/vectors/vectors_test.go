package vectors

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// pages are the pages beside this folder, by the name of their file of vectors.
func pages(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../*.md")
	if err != nil || len(files) < 8 {
		t.Fatalf("pages %v, %v", files, err)
	}
	all := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(f), ".md")] = string(text)
	}
	return all
}

// file is all that is in a file of vectors.
type file struct {
	Page
	strings []string // every string in it
	raw     map[string]any
}

func load(t *testing.T, name string) (f file, ok bool) {
	t.Helper()
	raw, err := files.ReadFile(name + ".json")
	if err != nil {
		return f, false
	}
	if err := json.Unmarshal(raw, &f.Page); err != nil {
		t.Fatalf("%s.json: %v", name, err)
	}
	if err := json.Unmarshal(raw, &f.raw); err != nil {
		t.Fatalf("%s.json: %v", name, err)
	}
	f.strings = collect(f.raw)
	return f, true
}

func collect(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, x := range v {
			all = append(all, collect(x)...)
		}
	case map[string]any:
		for _, x := range v {
			all = append(all, collect(x)...)
		}
	}
	return all
}

// A row of a table of limits: | `name` | 16,777,216 bytes | …, where the name of
// another page's limit is page.name.
var limitRow = regexp.MustCompile("(?m)^\\| `([a-z0-9.-]+)` \\| ([0-9][^|]*) \\|")

func TestThePagesStateTheLimitsOfTheVectors(t *testing.T) {
	stated := map[string]bool{}
	for page, text := range pages(t) {
		for _, row := range limitRow.FindAllStringSubmatch(text, -1) {
			of, name, foreign := strings.Cut(row[1], ".")
			if !foreign {
				of, name = page, row[1]
			}
			f, ok := load(t, of)
			if want := f.Limits[name]; !ok || want != strings.TrimSpace(row[2]) {
				t.Errorf("%s.md states %s as %q, the vectors as %q", page, row[1], strings.TrimSpace(row[2]), want)
			}
			stated[of+"."+name] = true
		}
	}
	for _, name := range names(t) {
		f, _ := load(t, name)
		for limit := range f.Limits {
			if !stated[name+"."+limit] {
				t.Errorf("no page states the limit %s of %s.json", limit, name)
			}
		}
	}
}

// names are the files of vectors.
func names(t *testing.T) (all []string) {
	t.Helper()
	entries, err := files.ReadDir(".")
	if err != nil || len(entries) < 7 {
		t.Fatalf("files %v, %v", entries, err)
	}
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), ".json"); name != "keys" {
			all = append(all, name)
		}
	}
	return all
}

var offenceRow = regexp.MustCompile("(?m)^\\| `([a-z]+\\.[a-z-]+)` \\| [^0-9]")

func TestThePagesListTheOffencesOfTheVectors(t *testing.T) {
	for page, text := range pages(t) {
		f, ok := load(t, page)
		if !ok {
			continue
		}
		var listed []string
		for _, row := range offenceRow.FindAllStringSubmatch(text, -1) {
			listed = append(listed, row[1])
		}
		slices.Sort(listed)
		want := slices.Sorted(slices.Values(f.Offences))
		if !slices.Equal(listed, want) {
			t.Errorf("%s.md lists the offences %q, the vectors %q", page, listed, want)
		}
	}
}

var (
	hexBlock = regexp.MustCompile("(?s)```hex\n(.*?)```")
	remark   = regexp.MustCompile("(?m)#.*$")
)

func TestTheBytesOnThePagesAreThoseOfTheVectors(t *testing.T) {
	blocks := 0
	for page, text := range pages(t) {
		f, _ := load(t, page)
		for _, block := range hexBlock.FindAllStringSubmatch(text, -1) {
			blocks++
			digits := strings.Join(strings.Fields(remark.ReplaceAllString(block[1], "")), "")
			if digits == "" || !slices.Contains(f.strings, digits) {
				t.Errorf("%s.md shows bytes that are not in the vectors: %s", page, digits)
			}
		}
	}
	if blocks < 10 {
		t.Errorf("only %d blocks of bytes found", blocks)
	}
}

// A row of the table of reasons: | 3 | `too-old` | lasting |.
func TestThePageListsTheReasonsOfTheVectors(t *testing.T) {
	var v struct {
		Reasons []struct {
			Number           int
			Name             string
			Offence, Lasting bool
		}
	}
	raw, _ := files.ReadFile("handshake.json")
	if err := json.Unmarshal(raw, &v); err != nil || len(v.Reasons) == 0 {
		t.Fatal(err)
	}
	page := pages(t)["handshake"]
	for _, r := range v.Reasons {
		kind := " "
		switch {
		case r.Offence:
			kind = " offence "
		case r.Lasting:
			kind = " lasting "
		}
		if row := "\n| " + Of(r.Number, "") + "| `" + r.Name + "` |" + kind + "|"; !strings.Contains(page, row) {
			t.Errorf("handshake.md lacks the row%s", row)
		}
	}
}

// Each link between pages leads somewhere.
func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[a-z-]+)?\)`)
	for page, text := range pages(t) {
		for _, l := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join("..", l[1])); err != nil {
				t.Errorf("%s.md links to %s: %v", page, l[1], err)
			}
		}
	}
}

func TestNumbersAreWrittenAsOnThePages(t *testing.T) {
	for got, want := range map[string]string{
		Of(1, "x"): "1 x", Of(999, "x"): "999 x", Of(1000, "x"): "1,000 x", Of(16777216, "bytes"): "16,777,216 bytes",
		Time(500 * time.Millisecond): "500 ms", Time(90 * time.Second): "90 s", Time(10 * time.Minute): "10 min", Time(24 * time.Hour): "24 h",
		Percent(.001): "0.1 %", Percent(.05): "5 %",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
