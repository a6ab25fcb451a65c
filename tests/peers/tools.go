//go:build tools

// Package tools names the programs that tests build from Go's sources, at the versions of go.mod:
// those that Debian 12's Go (1.19) can build. tests/harness/peers.py builds them.
package tools

import (
	_ "github.com/summerwind/h2spec/cmd/h2spec"
	_ "google.golang.org/grpc/interop/client"
	_ "google.golang.org/grpc/interop/server"
)
