package admin

import (
	"fmt"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	weftv1 "github.com/weftnet/weft/adapters/admin/weft/v1"
)

// checkSpans refuses a request with a negative or malformed duration: none of
// ours can be one, and whoever sends it has computed something wrong.
func checkSpans(request any) (err error) {
	m, isProto := request.(proto.Message)
	if !isProto {
		return nil
	}
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Message() == nil || f.Cardinality() == protoreflect.Repeated {
			return true
		}
		if d, isSpan := v.Message().Interface().(*durationpb.Duration); isSpan {
			err = checkSpan(f.JSONName(), d)
		}
		return err == nil
	})
	return err
}

func checkSpan(name string, d *durationpb.Duration) error {
	err := d.CheckValid()
	if err == nil && d.AsDuration() < 0 {
		err = fmt.Errorf("it is %s", d.AsDuration().Round(time.Millisecond))
	}
	if err == nil {
		return nil
	}
	return Explain(connect.CodeInvalidArgument, fmt.Errorf("%s is no duration that can pass: %w", name, err),
		&weftv1.Explanation{Reason: "argument", Remedy: `use a positive one, as "10s", or leave it out for the default`})
}
