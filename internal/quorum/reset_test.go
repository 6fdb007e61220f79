package quorum_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/replication"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Each row does something to the data of a closed store that was at work.
func TestAStoreThatForgotIsNotUsed(t *testing.T) {
	rows := []struct {
		name    string
		damage  func(t *testing.T, dir string)
		because string
	}{
		{"emptied", func(t *testing.T, dir string) {
			t.Helper()
			remove(t, dir)
		}, "is empty"},
		{"replaced by another store", func(t *testing.T, dir string) {
			t.Helper()
			remove(t, dir)
			remove(t, dir+".seen.json")
			known := readFile(t, dir+".old.json")
			other := openStore(t, dir)
			p := &play{T: t, clock: newClock(), coordinator: other}
			p.claimed()
			for range 20 {
				p.ok(p.Renew(t.Context()))
			}
			p.ok(other.Close())
			writeFile(t, dir+".seen.json", known)
		}, "its cluster id is"},
		{"put back from a copy", func(t *testing.T, dir string) {
			t.Helper()
			remove(t, dir)
			if err := os.CopyFS(filepath.Join(dir, "member"), os.DirFS(dir+".copy")); err != nil {
				t.Fatal(err)
			}
		}, "it is at revision"},
		{"a damaged memory of it", func(t *testing.T, dir string) {
			t.Helper()
			writeFile(t, dir+".seen.json", []byte("{"))
		}, "cannot be read"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "etcd")
			work(t, dir)
			row.damage(t, dir)
			s := openRaw(t, dir)
			waitFor(t, "the store to notice", func() bool {
				_, err := s.Read(t.Context())
				return errors.Is(err, quorum.ErrStoreReset)
			})
			p := &play{T: t, clock: newClock(), coordinator: s}
			_, err := s.Read(t.Context())
			if !containsText(err, row.because) || !containsText(err, "--store-was-reset") {
				t.Errorf("got %q, want it to say %q and what to do", err, row.because)
			}
			if err := s.Renew(t.Context()); !errors.Is(err, quorum.ErrStoreReset) {
				t.Errorf("renewing: %v", err)
			}
			if st := s.Status(); !st.Reset || st.LastError == "" {
				t.Errorf("the status does not tell: %+v", st)
			}
			p.ok(s.AcceptReset(t.Context()))
			p.lead()
			p.read()
			p.ok(s.Close())
			p = &play{T: t, clock: newClock(), coordinator: openStore(t, dir)}
			p.read()
		})
	}
}

// work leaves a store with a history in dir, and an earlier copy of its data.
func work(t *testing.T, dir string) {
	t.Helper()
	s := openStore(t, dir)
	p := &play{T: t, clock: newClock(), coordinator: s}
	p.ok(s.Freeze(t.Context(), "alice", "not yet"))
	p.ok(s.Close())
	if err := os.CopyFS(dir+".copy", os.DirFS(filepath.Join(dir, "member"))); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	p = &play{T: t, clock: newClock(), coordinator: s}
	p.ok(s.Unfreeze(t.Context(), "sre", "the store is right"))
	p.claimed()
	p.ok(s.Close())
	writeFile(t, dir+".old.json", readFile(t, dir+".seen.json"))
}

// A directory emptied under a member that then dies is noticed as well.
func TestAnEmptiedDirectoryIsNoticedAtARestart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	s := openStore(t, dir)
	p := &play{T: t, clock: newClock(), coordinator: s}
	p.claimed()
	pid := theMember(t, dir)
	if err := os.RemoveAll(filepath.Join(dir, "member")); err != nil {
		t.Fatal(err)
	}
	kill(t, pid, syscall.SIGKILL)
	waitFor(t, "the store to notice", func() bool {
		_, err := s.Read(t.Context())
		return errors.Is(err, quorum.ErrStoreReset)
	})
	if pids := members(t, dir); len(pids) != 0 {
		t.Errorf("member %v was started on the empty directory", pids)
	}
	_, err := s.Claim(t.Context(), replication.Claim{
		Incident: incident("i2", group2), Observer: "obs-a", LeaderRev: 1, Revision: 1,
	})
	if !errors.Is(err, quorum.ErrStoreReset) {
		t.Errorf("claim: %v", err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
