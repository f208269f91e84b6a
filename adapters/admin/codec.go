package admin

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// jsonCodec is JSON for people and scripts: zero values and empty lists are
// written out, so that `jq .peers` always finds something; the bytes are the same
// each time; a misspelled field is refused; no body at all means {}.
type jsonCodec struct{ name string }

func (c jsonCodec) Name() string { return c.name }

func (jsonCodec) Marshal(v any) ([]byte, error) {
	m, isProto := v.(proto.Message)
	if !isProto {
		return nil, fmt.Errorf("%T is not a protobuf message", v)
	}
	loose, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	// protojson varies its spaces on purpose.
	var out bytes.Buffer
	out.Grow(len(loose))
	err = json.Compact(&out, loose)
	return out.Bytes(), err
}

func (jsonCodec) Unmarshal(data []byte, v any) error {
	m, isProto := v.(proto.Message)
	if !isProto {
		return fmt.Errorf("%T is not a protobuf message", v)
	}
	if len(data) == 0 {
		proto.Reset(m)
		return nil
	}
	return protojson.Unmarshal(data, m)
}
