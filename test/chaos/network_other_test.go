//go:build !linux

package chaos_test

import "errors"

var errLinuxOnly = errors.New("only Linux has them")

func runInside() (int, error) { return 0, errLinuxOnly }

func newNamespaces() (network, error) { return nil, errLinuxOnly }
