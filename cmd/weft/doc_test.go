package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The table of settings in docs/operations.md has every setting, and no other.
func TestTheSettingsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "| setting | default | what it says |\n")
	table, _, _ := strings.Cut(rest, "\n\n")
	var documented, known []string
	for row := range strings.Lines(table) {
		for _, key := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(strings.SplitN(row, "|", 3)[1], -1) {
			documented = append(documented, key[1])
		}
	}
	for _, s := range slices.Concat(globalSettings(), runSettings()) {
		known = append(known, s.Key)
	}
	known = slices.DeleteFunc(known, func(key string) bool { return key == "ephemeral" }) // told with data_dir
	slices.Sort(documented)
	slices.Sort(known)
	if !slices.Equal(documented, known) {
		t.Errorf("docs/operations.md has\n%v\nand the settings are\n%v", documented, known)
	}
}
