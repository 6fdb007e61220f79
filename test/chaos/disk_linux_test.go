package chaos_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// small is a disk of 64 MB of memory.
type small struct {
	t    *testing.T
	path string
}

func (n *namespaces) disk(o *observer, path string) disk {
	o.t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		o.t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", path, "tmpfs", 0, "size=64m"); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			o.t.Error(err)
		}
	})
	return small{o.t, path}
}

func (d small) String() string { return "64 MB, filled to the last byte" }

func (d small) hog() string { return filepath.Join(d.path, "hog") }

func (d small) fill() {
	d.t.Helper()
	f, err := os.Create(d.hog())
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4<<10); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, unix.ENOSPC) {
		d.t.Fatal(err)
	}
}

func (d small) empty() {
	d.t.Helper()
	if err := os.Remove(d.hog()); err != nil {
		d.t.Fatal(err)
	}
}

// limited stands in for a full disk where nothing can be mounted: the daemon and
// its store may write to no file.
type limited struct{ o *observer }

func (loopback) disk(o *observer, _ string) disk { return limited{o} }

func (limited) String() string { return "in place of a full disk, a limit on the size of files" }

func (l limited) fill() { l.limit(1) }

func (l limited) empty() { l.limit(unix.RLIM_INFINITY) }

func (l limited) limit(bytes uint64) {
	l.o.t.Helper()
	d := l.o.current().cmd.Process
	pids := []int{d.Pid}
	for _, p := range children(d) {
		pids = append(pids, p.Pid)
	}
	for _, pid := range pids {
		// One that has ended meanwhile is started again with the daemon's limit.
		if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil); err != nil && !errors.Is(err, unix.ESRCH) {
			l.o.t.Fatal(err)
		}
	}
}
