package handshake

import (
	"cmp"
	"fmt"
)

// Version is the version of a node's software.
type Version struct{ Major, Minor, Patch uint16 }

func (v Version) String() string { return fmt.Sprintf("v%d.%d.%d", v.Major, v.Minor, v.Patch) }

// Compare orders versions.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch))
}

// Compatible says whether a node of version ours, which accepts versions from
// oldest on, can work with one of version theirs; Unspecified means yes. A newer
// major version may have changed anything. An older one may still be known well
// enough: that is for the newer node to say, by its oldest.
func Compatible(ours, oldest, theirs Version) Reason {
	switch {
	case theirs.Major > ours.Major:
		return TooNew
	case theirs.Compare(oldest) < 0:
		return TooOld
	}
	return Unspecified
}
