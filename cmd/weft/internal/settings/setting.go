package settings

import (
	"fmt"
	"slices"
	"strings"
)

// Setting is one thing to set.
type Setting struct {
	Key     string // as in the TOML file: "max_peers"
	Short   string // one-letter flag, or empty
	Kind    Kind
	Default any // of the Go type that Kind names
	Usage   string
	Form    string          // what the help shows for a value, as "open|members"; empty: by Kind, or `so` in Usage
	Group   string          // the heading it stands under in the help; may be empty
	Secret  bool            // never shown
	Spaced  bool            // of a List: its elements hold commas, so that white space alone parts them in a variable
	Check   func(any) error // refuses values that Kind allows; may be nil
}

// Flag is the setting's command-line name.
func (s Setting) Flag() string { return strings.ReplaceAll(s.Key, "_", "-") }

// Env is the setting's environment variable.
func (s Setting) Env() string { return envPrefix + strings.ToUpper(s.Key) }

// format shows a value as it would be written.
func (s Setting) format(v any) string {
	if list, isList := v.([]string); isList && s.Spaced {
		return strings.Join(list, " ")
	}
	return s.Kind.Format(v)
}

// read turns what a layer holds into a checked value.
func (s Setting) read(raw any) (any, error) {
	v, err := s.Kind.Parse(raw)
	if err != nil {
		return nil, err
	}
	if s.Check != nil {
		return v, s.Check(v)
	}
	return v, nil
}

// Schema is every setting of a program.
type Schema []Setting

// Only returns the settings with the given keys.
func (s Schema) Only(keys ...string) (out Schema) {
	for _, k := range keys {
		if x, known := s.find(k); known {
			out = append(out, x)
		}
	}
	return out
}

func (s Schema) find(key string) (Setting, bool) {
	i := slices.IndexFunc(s, func(x Setting) bool { return x.Key == key })
	if i < 0 {
		return Setting{}, false
	}
	return s[i], true
}

// unknown explains a name that is not in the schema: what it resembles, else where
// to look, which for a handful of names is the error itself.
func (s Schema) unknown(name, origin string, spell func(key string) string) *Error {
	const handful = 5
	known := make([]string, len(s))
	for i, x := range s {
		known[i] = spell(x.Key)
	}
	switch near := Nearest(name, known); {
	case near != "":
		return &Error{name, origin, fmt.Sprintf("there is no such setting; did you mean %s?", near)}
	case len(s) <= handful:
		return &Error{name, origin, "there is no such setting; there are " + strings.Join(known, ", ")}
	}
	return &Error{name, origin, "there is no such setting; `weft config show` lists them"}
}

// Error is a setting that cannot be used.
type Error struct {
	Name    string // as the layer spells it
	Origin  string // "flag --max-peers", "weft.toml:3", "environment"
	Problem string // what is wrong and what to do
}

func (e *Error) Error() string {
	return fmt.Sprintf("setting %s (%s): %s", e.Name, e.Origin, e.Problem)
}
