package core

import (
	"slices"
	"testing"

	"github.com/weftnet/weft/docs/protocols/vectors"
)

// docs/protocols/framing.md lists the offences that an adapter sees.
func TestTheOffencesOfAStreamAreDocumented(t *testing.T) {
	var v struct {
		vectors.Page
		Messages, Streams, Checks any
	}
	if err := vectors.Read("framing", &v); err != nil {
		t.Fatal(err)
	}
	want := []string{
		string(OffenceFrame), string(OffenceTooLong), string(OffenceSender),
		string(OffenceDirection), string(OffenceStreams), string(OffenceSlow),
	}
	if !slices.Equal(v.Offences, want) {
		t.Errorf("docs/protocols/vectors/framing.json lists %q, want %q", v.Offences, want)
	}
}
