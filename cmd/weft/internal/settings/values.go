package settings

import (
	"fmt"
	"strings"
	"time"

	"github.com/knadh/koanf/v2"
)

const delim = "." // koanf's path separator; no key of a schema holds one

// Values are the effective settings.
type Values struct {
	schema Schema
	k      *koanf.Koanf
	origin map[string]string
}

func newValues(s Schema) *Values {
	v := &Values{schema: s, k: koanf.New(delim), origin: map[string]string{}}
	for _, x := range s {
		v.put(x.Key, x.Default, Default)
	}
	return v
}

// put stores a value of the right type. koanf fails only on a key that is both a
// value and a parent, which a schema without dots cannot have.
func (v *Values) put(key string, value any, origin string) {
	if err := v.k.Set(key, value); err != nil {
		panic(fmt.Sprintf("settings: key %q: %v", key, err))
	}
	v.origin[key] = origin
}

func (v *Values) merge(l *layer) error {
	for _, key := range l.k.Keys() {
		s, known := v.schema.find(key)
		if !known {
			return v.schema.unknown(l.spell(key), l.origin(key), l.spell)
		}
		if l.isFile && key == FileKey {
			return &Error{key, l.origin(key), "a file cannot name another; use --config or WEFT_CONFIG"}
		}
		value, err := s.read(l.k.Get(key))
		if err != nil {
			return &Error{l.spell(key), l.origin(key), err.Error()}
		}
		v.put(key, value, l.origin(key))
	}
	return nil
}

// Derive replaces a default by one that follows from other settings. A value
// that some layer set stays.
func (v *Values) Derive(key string, value any) { v.Weakly(key, value, Default) }

// Weakly sets a value unless some layer has set one.
func (v *Values) Weakly(key string, value any, origin string) {
	if v.origin[key] == Default {
		v.put(key, value, origin)
	}
}

// Replace puts what a value stands for in its place.
func (v *Values) Replace(key string, value any, origin string) { v.put(key, value, origin) }

// Error lays a problem to a setting, where its value comes from.
func (v *Values) Error(key, problem string) *Error { return &Error{key, v.origin[key], problem} }

// The getters take a key of the schema, of the kind that their name says.

func (v *Values) Text(key string) string          { return v.k.Get(key).(string) }
func (v *Values) Switch(key string) bool          { return v.k.Get(key).(bool) }
func (v *Values) Count(key string) int            { return v.k.Get(key).(int) }
func (v *Values) Period(key string) time.Duration { return v.k.Get(key).(time.Duration) }
func (v *Values) Size(key string) uint64          { return v.k.Get(key).(uint64) }
func (v *Values) List(key string) []string        { return v.k.Get(key).([]string) }

// Get returns a value of any kind.
func (v *Values) Get(key string) any { return v.k.Get(key) }

// Origin says where a setting's value comes from: "default", "FILE:LINE",
// "environment" or "flag --NAME".
func (v *Values) Origin(key string) string { return v.origin[key] }

// IsFlag tells whether a setting was given on the command line.
func (v *Values) IsFlag(key string) bool { return strings.HasPrefix(v.origin[key], flagOrigin) }

// Shown is a setting as people see it.
type Shown struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Source string `json:"source"`
}

// hidden stands for a secret that is set.
const hidden = "(set)"

// All lists the effective settings in the schema's order, secrets hidden.
func (v *Values) All() []Shown {
	out := make([]Shown, len(v.schema))
	for i, s := range v.schema {
		text := s.format(v.k.Get(s.Key))
		if s.Secret && text != "" {
			text = hidden
		}
		out[i] = Shown{s.Key, text, v.origin[s.Key]}
	}
	return out
}
