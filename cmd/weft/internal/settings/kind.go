package settings

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Kind is the form of a setting's value.
type Kind uint8

// The kinds and the Go type of their values.
const (
	Text   Kind = iota // string
	Switch             // bool
	Count              // int
	Period             // time.Duration
	Size               // uint64, bytes
	List               // []string
)

// String is what help shows for a value of the kind.
func (k Kind) String() string {
	return [...]string{"text", "bool", "number", "duration", "bytes", "text"}[k]
}

// Parse turns a layer's value into the kind's Go type. Flags and the environment
// hold text; a TOML file holds its own types.
func (k Kind) Parse(raw any) (any, error) {
	switch k {
	case Switch:
		return parseSwitch(raw)
	case Count:
		return parseCount(raw)
	case Period:
		return parsePeriod(raw)
	case Size:
		return parseSize(raw)
	case List:
		return parseList(raw)
	default:
		return parseText(raw)
	}
}

func wrong(raw any, what string) error {
	if s, isText := raw.(string); isText {
		raw = strconv.Quote(s)
	}
	return fmt.Errorf("%v is not %s", raw, what)
}

func parseText(raw any) (any, error) {
	if s, isText := raw.(string); isText {
		return s, nil
	}
	return nil, wrong(raw, `text; write it in quotes`)
}

func parseSwitch(raw any) (any, error) {
	if b, isBool := raw.(bool); isBool {
		return b, nil
	}
	s, _ := raw.(string)
	b, err := strconv.ParseBool(s)
	if err != nil {
		return nil, wrong(raw, "true or false")
	}
	return b, nil
}

func parseCount(raw any) (any, error) {
	if n, isInt := raw.(int64); isInt {
		return int(n), nil
	}
	s, _ := raw.(string)
	n, err := strconv.Atoi(s)
	if err != nil {
		return nil, wrong(raw, "a whole number, as 50")
	}
	return n, nil
}

func parsePeriod(raw any) (any, error) {
	s, _ := raw.(string)
	d, err := time.ParseDuration(s)
	if err != nil {
		return nil, wrong(raw, `a duration with its unit, as "10s" or "1m30s"`)
	}
	return d, nil
}

var units = []struct {
	suffix string
	bytes  uint64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}, {"", 1}}

func parseSize(raw any) (any, error) {
	if n, isInt := raw.(int64); isInt && n >= 0 {
		return uint64(n), nil
	}
	s, _ := raw.(string)
	for _, u := range units {
		digits, match := strings.CutSuffix(s, u.suffix)
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 32)
		if match && err == nil {
			return n * u.bytes, nil
		}
	}
	return nil, wrong(raw, `a size, as "64KiB", "16MiB" or a number of bytes below 4 GiB`)
}

func parseList(raw any) (any, error) {
	switch v := raw.(type) {
	case []string:
		return v, nil
	case string:
		return []string{v}, nil
	case []any:
		out := make([]string, len(v))
		for i, x := range v {
			s, isText := x.(string)
			if !isText {
				return nil, wrong(x, "text; write it in quotes")
			}
			out[i] = s
		}
		return out, nil
	}
	return nil, wrong(raw, `a list, as ["a", "b"]`)
}

// Format shows a value as a person would write it.
func (k Kind) Format(v any) string {
	switch v := v.(type) {
	case []string:
		return strings.Join(v, ",")
	case uint64:
		return formatSize(v)
	}
	return fmt.Sprint(v)
}

func formatSize(n uint64) string {
	for i := 2; i >= 0; i-- {
		if u := units[i]; n >= u.bytes && n%u.bytes == 0 {
			return fmt.Sprintf("%d%s", n/u.bytes, u.suffix)
		}
	}
	return strconv.FormatUint(n, 10)
}
