package node

import "testing"

func TestStrangersTextIsLegible(t *testing.T) {
	for text, want := range map[string]string{
		"kubo/0.40 (linux)":        "kubo/0.40 (linux)",
		"grüße, 你好":                "grüße, 你好",
		"a\xffb":                   "a\uFFFDb",
		"\x1b[2Jgone":              "\uFFFD[2Jgone",
		"\u009b2Jgone":             "\uFFFD2Jgone",
		"two\nlines\tand\rmore":    "two lines and more",
		"bell\a, null\x00 del\x7f": "bell\uFFFD, null\uFFFD del\uFFFD",
		"\u202etxt.exe\u2066":      "\uFFFDtxt.exe\uFFFD",
		"no\u00a0break":            "no break",
	} {
		if got := legible(text, maxText); got != want {
			t.Errorf("legible(%q) = %q, want %q", text, got, want)
		}
	}
	if got := legible("longé", 5); got != "long\uFFFD" {
		t.Errorf("cut within a character: %q", got)
	}
}
