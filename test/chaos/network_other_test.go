//go:build !linux

package chaos_test

import "errors"

var errLinuxOnly = errors.New("only Linux has them")

func runInside() (int, error) { return 0, errLinuxOnly }

// disk: no system but Linux limits another process.
func (loopback) disk(o *observer, _ string) disk {
	o.t.Fatal("a full disk is shown on Linux only")
	return nil
}

func newNamespaces() (network, error) { return nil, errLinuxOnly }
