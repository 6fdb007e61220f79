package quorum_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	p.ok(s.Unfreeze(t.Context()))
	p.claimed()
	p.ok(s.Close())
	writeFile(t, dir+".old.json", readFile(t, dir+".seen.json"))
}

// A directory emptied under a member that then dies is noticed as well.
func TestAnEmptiedDirectoryIsNoticedAtARestart(t *testing.T) {
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

// A full disk ends the member; the parent lives, says so, and goes on when there
// is room again.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	release := smallDisk(t, disk)
	dir := filepath.Join(disk, "etcd")
	s := openStore(t, dir)
	p := &play{T: t, clock: newClock(), coordinator: s}
	rec := p.claimed()
	hog := filepath.Join(disk, "hog")
	fill(t, hog)
	var last error
	waitFor(t, "the member to run out of space", func() bool {
		g := replication.GroupRecord{Baseline: strings.Repeat("x", 1<<20), Rev: p.groupRev(group2)}
		if err := s.PutGroup(t.Context(), group2, g); err != nil {
			last = err
		}
		return !s.Status().Joined
	})
	t.Logf("the write said: %v", last)
	_, err := s.Write(t.Context(), p.lastWords(rec))
	if err == nil {
		t.Error("a write on a full disk succeeded")
	}
	waitFor(t, "the reason", func() bool { return strings.Contains(s.Status().LastError, "no space left on device") })
	t.Logf("status: %s", s.Status().LastError)
	release(hog)
	waitFor(t, "the store to come back", func() bool { return s.Status().Joined })
	if got := p.read().Incidents["i1"]; got.Token != rec.Token {
		t.Errorf("the incident came back as %+v", got)
	}
	p.ok(s.Renew(t.Context()))
}

// groupRev is the revision of a group's record, or 0 when it cannot be read.
func (p *play) groupRev(g replication.GroupKey) int64 {
	c, err := p.Read(p.Context())
	if err != nil {
		return 0
	}
	return c.Groups[g].Rev
}

func (p *play) lastWords(rec replication.IncidentRecord) replication.Write {
	return replication.Write{Incident: rec.Incident, Entry: replication.Entry{Event: "note"}, Token: rec.Token, IncidentRev: rec.Rev}
}

// smallDisk mounts 48 MB of memory on dir. release makes room again.
func smallDisk(t *testing.T, dir string) (release func(string)) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=48m"); err != nil {
		t.Fatalf("mounting a small disk: %v (this test needs to mount a tmpfs: run it as root)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return func(hog string) { remove(t, hog) }
}

// fill takes all that is left.
func fill(t *testing.T, hog string) {
	t.Helper()
	f, err := os.Create(hog)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); ; {
		if _, err := f.Write(block); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			return
		}
	}
}
