// Package settings merges a program's settings from four layers, the later
// ones stronger:
//
//	default < TOML file < environment (WEFT_MAX_PEERS) < flag (--max-peers)
//
// One Schema names them all, so a key is spelled alike everywhere, and every
// value knows its origin. What no layer may hold (an unknown key, a value of the
// wrong form) is an *Error that names the setting, where it was set (for a
// file also the line), and what to write instead. koanf reads and merges; the
// schema, the checks and the origins are ours.
package settings
