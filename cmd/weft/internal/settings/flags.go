package settings

import (
	"cmp"
	"strings"

	"github.com/spf13/pflag"
)

// Flags adds a flag for each setting of the schema.
func (s Schema) Flags(fs *pflag.FlagSet) {
	for _, x := range s {
		f := fs.VarPF(&flagValue{setting: x}, x.Flag(), x.Short, x.Usage)
		f.DefValue = x.Kind.Format(x.Default)
		if x.Kind == Switch {
			f.NoOptDefVal = "true"
		}
	}
}

// Group is the heading of the setting that a flag sets; empty for other flags.
func Group(f *pflag.Flag) string {
	if v, ours := f.Value.(*flagValue); ours {
		return v.setting.Group
	}
	return ""
}

// Choices are the words that a flag takes; empty when it takes any.
func Choices(f *pflag.Flag) []string {
	if v, ours := f.Value.(*flagValue); ours && strings.Contains(v.setting.Form, "|") {
		return strings.Split(v.setting.Form, "|")
	}
	return nil
}

// flagValue is what one flag was given, as text. A List flag may be repeated and
// takes each argument whole: addresses and topics may hold commas.
type flagValue struct {
	setting Setting
	given   []string
}

func (f *flagValue) Set(arg string) error {
	if _, err := f.setting.Kind.Parse(arg); err != nil {
		return &Error{f.setting.Key, flagOrigin + f.setting.Flag(), err.Error()}
	}
	if f.setting.Kind != List {
		f.given = nil
	}
	f.given = append(f.given, arg)
	return nil
}

func (f *flagValue) Type() string   { return cmp.Or(f.setting.Form, f.setting.Kind.String()) }
func (f *flagValue) String() string { return strings.Join(f.given, ",") }

// IsBoolFlag lets --ephemeral stand alone.
func (f *flagValue) IsBoolFlag() bool { return f.setting.Kind == Switch }

func (f *flagValue) raw() any {
	if f.setting.Kind == List {
		return f.given
	}
	return f.given[0]
}

// fromFlag is koanf's view of a flag: nothing unless it is a setting and given.
func fromFlag(f *pflag.Flag) (string, any) {
	v, ours := f.Value.(*flagValue)
	if !ours || !f.Changed {
		return "", nil
	}
	return v.setting.Key, v.raw()
}
