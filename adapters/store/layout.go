package store

import (
	"encoding/binary"
	"time"

	"github.com/weftnet/weft/protocols/object"
)

const (
	bytesPrefix  = 'd' // data
	idPrefix     = 'i'
	logPrefix    = 'l'
	prunedPrefix = 'u' // up to where
	anchorPrefix = 'a'

	seqBytes = 8
	// maxTopic is the longest topic that an object can name, in bytes.
	maxTopic = 512
)

// topicKey is what the keys of a topic begin with in bytesPrefix and logPrefix. Its
// length goes before it, so no topic's range of keys has another's within it.
func topicKey(prefix byte, topic string) []byte {
	k := make([]byte, 0, 3+len(topic)+seqBytes)
	k = binary.BigEndian.AppendUint16(append(k, prefix), uint16(len(topic)))
	return append(k, topic...)
}

func seqKey(prefix byte, topic string, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(topicKey(prefix, topic), seq)
}

// cutSeqKey reads a key of bytesPrefix or logPrefix, without the prefix.
func cutSeqKey(key []byte) (topic []byte, seq uint64, ok bool) {
	if len(key) < 2 {
		return nil, 0, false
	}
	size := int(binary.BigEndian.Uint16(key))
	if size > maxTopic || len(key) != 2+size+seqBytes {
		return nil, 0, false
	}
	return key[2 : 2+size], binary.BigEndian.Uint64(key[2+size:]), true
}

func idKey(prefix byte, id object.ID) []byte { return append([]byte{prefix}, id[:]...) }

func prunedKey(topic string) []byte { return append([]byte{prunedPrefix}, topic...) }

// place is where an object stands, the value of idPrefix.
type place struct {
	topic  string
	seq    uint64
	landed time.Time
}

func (p place) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, p.seq)
	return append(appendTime(b, p.landed), p.topic...)
}

func parsePlace(b []byte) (place, bool) {
	if len(b) < 2*seqBytes || len(b) > 2*seqBytes+maxTopic {
		return place{}, false
	}
	landed, topic, _ := cutTime(b[seqBytes:])
	return place{string(topic), binary.BigEndian.Uint64(b), landed}, true
}

// entry is what the log says of an object, the value of logPrefix.
type entry struct {
	id     object.ID
	landed time.Time
	size   int // bytes
}

func (e entry) append(b []byte) []byte {
	b = appendTime(append(b, e.id[:]...), e.landed)
	return binary.BigEndian.AppendUint32(b, uint32(e.size))
}

func parseEntry(b []byte) (e entry, ok bool) {
	if len(b) != len(e.id)+8+4 {
		return entry{}, false
	}
	copy(e.id[:], b)
	landed, size, _ := cutTime(b[len(e.id):])
	e.landed, e.size = landed, int(binary.BigEndian.Uint32(size))
	return e, e.size <= maxObject
}

// parseAnchor reads the value of anchorPrefix: when it was set, and its topic.
func parseAnchor(b []byte) (set time.Time, topic string, ok bool) {
	set, rest, ok := cutTime(b)
	return set, string(rest), ok && len(rest) <= maxTopic
}
