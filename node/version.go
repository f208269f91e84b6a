package node

import (
	"runtime/debug"

	"github.com/weftnet/weft/protocols/handshake"
)

// protocolVersion is the version of weft's protocols that this software speaks;
// docs/protocols/handshake.md says which versions work together.
var protocolVersion = handshake.Version{Major: 0, Minor: 3}

// Version is set by the linker for releases; otherwise it is read from the
// build information.
var Version = ""

// version names this build: the linker's word, else the module's version, else
// the revision it was built from.
func version() string {
	if Version != "" {
		return Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	if r := revision(); len(r) >= 12 {
		return "devel-" + r[:12]
	}
	return "devel"
}

// revision is the source revision of this build; empty when it is not known.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

// UserAgent is how the node names itself to others, "weft/VERSION".
func UserAgent() string { return "weft/" + version() }
