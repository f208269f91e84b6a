package object

import (
	"errors"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
)

func TestAnIDIsTheCIDOfRawBytes(t *testing.T) {
	id := IDOf([]byte("hello"))
	const text = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq" // ipfs add --cid-version 1 --raw-leaves
	if id.String() != text {
		t.Errorf("the ID of hello is %s, not %s", id, text)
	}
	if back, err := ParseID(text); err != nil || back != id {
		t.Errorf("ParseID(%s) = %s, %v", text, back, err)
	}
	if back, err := FromCID(id.CID()); err != nil || back != id {
		t.Errorf("FromCID = %s, %v", back, err)
	}
}

func TestOtherNamesAreRefused(t *testing.T) {
	id := IDOf(nil)
	sha512, err := multihash.Sum(nil, multihash.SHA2_512, 32)
	if err != nil {
		t.Fatal(err)
	}
	upper, err := id.CID().StringOfBase('B')
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing":       "",
		"no CID":        "bafkre!",
		"another base":  upper,
		"version 0":     cid.NewCidV0(id.CID().Hash()).String(),
		"another codec": cid.NewCidV1(cid.DagProtobuf, id.CID().Hash()).String(),
		"another hash":  cid.NewCidV1(cid.Raw, sha512).String(),
		"a space":       id.String() + " ",
	} {
		if got, err := ParseID(text); !errors.Is(err, ErrID) {
			t.Errorf("%s: ParseID(%q) = %s, %v", name, text, got, err)
		}
	}
	if _, err := FromCID(cid.Undef); !errors.Is(err, ErrID) {
		t.Errorf("no CID at all: %v", err)
	}
}
