package object

import (
	"fmt"
	"testing"
)

func kib() Object {
	o := sample()
	o.Payload = make([]byte, 1024-(fixedSize+len(o.Network)+len(o.Topic)+2*32+96)) // 1 KiB when signed
	return o
}

func BenchmarkSeal(b *testing.B) {
	o := kib()
	b.SetBytes(1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.Seal(key); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, deps := range []int{2, 1024} {
		o := kib()
		if deps > 2 {
			o.Deps = manyDeps(deps)
		}
		encoded := seal(b, o, key)
		b.Run(fmt.Sprint(deps, "deps"), func(b *testing.B) {
			b.SetBytes(int64(len(encoded)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(encoded); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	o, err := Parse(seal(b, kib(), key))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(1024)
	b.ReportAllocs()
	for b.Loop() {
		if err := o.Verify(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIDOf(b *testing.B) {
	encoded := seal(b, kib(), key)
	b.SetBytes(1024)
	b.ReportAllocs()
	for b.Loop() {
		IDOf(encoded)
	}
}
