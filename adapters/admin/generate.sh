#!/bin/sh
# Regenerates the Go code of the control API, here or in the directory $1. Needs
# protoc 3.21.12 (Debian: protobuf-compiler, libprotobuf-dev), whose version is
# part of the output; the two plugins are pinned by the tool lines of go.mod.
set -eu
cd "$(dirname "$0")"
out=${1:-.}
exec protoc \
	--plugin="protoc-gen-go=$(go tool -n protoc-gen-go)" \
	--plugin="protoc-gen-connect-go=$(go tool -n protoc-gen-connect-go)" \
	--go_out="$out" --go_opt=paths=source_relative \
	--connect-go_out="$out" --connect-go_opt=paths=source_relative,simple \
	weft/v1/weft.proto
