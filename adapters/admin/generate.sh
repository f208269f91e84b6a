#!/bin/sh
# Regenerates the Go code of the control API. Needs protoc 3.21.12 (Debian:
# protobuf-compiler, libprotobuf-dev), whose version is part of the output; the two plugins are
# pinned by the tool lines of go.mod.
set -eu
exec protoc \
	--plugin="protoc-gen-go=$(go tool -n protoc-gen-go)" \
	--plugin="protoc-gen-connect-go=$(go tool -n protoc-gen-connect-go)" \
	--go_out=. --go_opt=paths=source_relative \
	--connect-go_out=. --connect-go_opt=paths=source_relative,simple \
	weft/v1/weft.proto
