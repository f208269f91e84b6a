package settings

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	parser "github.com/knadh/koanf/parsers/toml/v2"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
	"github.com/spf13/pflag"

	"github.com/weftnet/weft/adapters/regular"
)

const (
	envPrefix  = "WEFT_"
	flagOrigin = "flag --"
)

// FileKey is the setting that names the TOML file; the file cannot hold it.
const FileKey = "config"

// maxFile bounds the TOML file, in bytes; chosen because all settings with a
// hundred bootstrappers take 10 KiB.
const maxFile = 1 << 20

// Default is the origin of a value that no layer sets.
const Default = "default"

// Load merges the layers. environ is as os.Environ gives it; flags are those of
// the parsed command and may hold others than the schema's.
func Load(s Schema, environ []string, flags *pflag.FlagSet) (*Values, error) {
	v := newValues(s)
	given, vars := flagLayer(), envLayer()
	if err := given.k.Load(posflag.ProviderWithFlag(flags, delim, nil, fromFlag), nil); err != nil {
		return nil, err
	}
	if err := vars.k.Load(env.Provider("", s.environment(environ)), nil); err != nil {
		return nil, err
	}
	file, err := fileLayer(FileKey, cmp.Or(given.k.String(FileKey), vars.k.String(FileKey)), maxFile)
	if err != nil {
		return nil, err
	}
	for _, l := range []*layer{file, vars, given} {
		if err := v.merge(l); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// LoadFile reads a TOML file of its own, with a schema of its own, that the setting
// key names. It has at most limit bytes.
func LoadFile(s Schema, key, path string, limit int) (*Values, error) {
	l, err := fileLayer(key, path, limit)
	if err != nil {
		return nil, err
	}
	v := newValues(s)
	return v, v.merge(l)
}

// layer is one source of settings, its values still raw.
type layer struct {
	k      *koanf.Koanf
	spell  func(key string) string // how the layer writes a key
	origin func(key string) string // where the layer holds it
	isFile bool
}

func flagLayer() *layer {
	return &layer{
		k:      koanf.New(delim),
		spell:  func(key string) string { return key },
		origin: func(key string) string { return flagOrigin + Setting{Key: key}.Flag() },
	}
}

func envLayer() *layer {
	return &layer{
		k:      koanf.New(delim),
		spell:  func(key string) string { return Setting{Key: key}.Env() },
		origin: func(string) string { return "environment" },
	}
}

// fileLayer reads the TOML file that a setting names, if it does, and notes the line
// of every key.
func fileLayer(setting, path string, limit int) (*layer, error) {
	l := &layer{k: koanf.New(delim), spell: func(key string) string { return key }, isFile: true}
	if path == "" {
		return l, nil
	}
	data, err := regular.ReadFile(path, limit)
	if err != nil {
		return nil, &Error{setting, path, fmt.Sprintf("the file cannot be read: %v; check the path and its permissions", errors.Unwrap(err))}
	}
	if err := l.k.Load(rawbytes.Provider(data), parser.Parser()); err != nil {
		return nil, syntaxError(setting, path, err)
	}
	lines := keyLines(data)
	l.origin = func(key string) string { return fmt.Sprintf("%s:%d", path, lines[key]) }
	return l, nil
}

func syntaxError(setting, path string, err error) error {
	origin := path
	var de *toml.DecodeError
	if errors.As(err, &de) {
		row, col := de.Position()
		origin = fmt.Sprintf("%s:%d:%d", path, row, col)
	}
	return &Error{setting, origin, strings.TrimPrefix(err.Error(), "toml: ") + "; the file must be TOML, as: name = \"value\""}
}

// serviceLink matches the variables that Kubernetes and Docker links inject for
// a service that happens to be called weft: WEFT_SERVICE_HOST, WEFT_PORT,
// WEFT_API_PORT_30304_TCP_ADDR. They are nobody's settings.
var serviceLink = regexp.MustCompile(`(_SERVICE_(HOST|PORT)(_\w+)?|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// environment is koanf's view of the variables. An empty one counts as not set,
// as compose files produce them; a list is separated by commas or white
// space, by the latter alone where its elements hold commas.
func (s Schema) environment(environ []string) env.Opt {
	transform := func(name, value string) (string, any) {
		if value == "" || serviceLink.MatchString(name) {
			return "", nil
		}
		key := strings.ToLower(strings.TrimPrefix(name, envPrefix))
		if x, known := s.find(key); known && x.Kind == List {
			return key, strings.FieldsFunc(value, func(r rune) bool { return r == ',' && !x.Spaced || unicode.IsSpace(r) })
		}
		return key, value
	}
	return env.Opt{Prefix: envPrefix, EnvironFunc: func() []string { return environ }, TransformFunc: transform}
}

// keyLines maps each dotted key of a TOML document to its line.
func keyLines(data []byte) map[string]int {
	lines := map[string]int{}
	p := unstable.Parser{}
	p.Reset(data)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		key, line := "", 0
		for it := e.Key(); it.Next(); {
			key += delim + string(it.Node().Data)
			line = p.Shape(it.Node().Raw).Start.Line
		}
		if e.Kind == unstable.KeyValue {
			lines[strings.TrimPrefix(table+key, delim)] = line
			continue
		}
		table = key
		lines[strings.TrimPrefix(key, delim)] = line
	}
	return lines
}
