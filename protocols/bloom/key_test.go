package bloom

import "testing"

func TestKeysDependOnEveryByteOfSaltAndEntry(t *testing.T) {
	var salt [SaltSize]byte
	var entry [EntrySize]byte
	want := NewKeyer(salt).Key(entry)
	for i := range salt {
		other := salt
		other[i] = 1
		if NewKeyer(other).Key(entry) == want {
			t.Errorf("byte %d of the salt does not matter", i)
		}
	}
	for i := range entry {
		other := entry
		other[i] = 1
		if NewKeyer(salt).Key(other) == want {
			t.Errorf("byte %d of the entry does not matter", i)
		}
	}
}
