package quorum_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/replication"
)

// A full disk ends the member; the parent lives, says so, and goes on when there
// is room again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if !smallDisk(t, disk) {
		t.Log("mounting is not permitted to this user; TestFileSizeLimit stands in for the full disk")
		return
	}
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
	remove(t, hog)
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

// smallDisk mounts 48 MB of memory on dir, where this user may.
func smallDisk(t *testing.T, dir string) bool {
	t.Helper()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=48m")
	if errors.Is(err, syscall.EPERM) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return true
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

// A member whose files may not grow fails as on a full disk: its data base
// cannot take what its log has.
func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	limited := func(o *quorum.Options) {
		o.Command = append([]string{"/bin/bash", "-c", `ulimit -f 20480; exec "$0" "$@"`}, o.Command...)
	}
	s := openStore(t, dir, limited)
	p := &play{T: t, clock: newClock(), coordinator: s}
	rec := p.claimed()
	waitFor(t, "the member to hit its limit", func() bool {
		_ = s.PutGroup(t.Context(), group2, replication.GroupRecord{Baseline: strings.Repeat("x", 1<<20), Rev: p.groupRev(group2)})
		return !s.Status().Joined
	})
	waitFor(t, "the reason", func() bool { return strings.Contains(s.Status().LastError, "file too large") })
	if _, err := s.Write(t.Context(), p.lastWords(rec)); err == nil {
		t.Error("a write succeeded")
	}
	p.ok(s.Close())
	p = &play{T: t, clock: newClock(), coordinator: openStore(t, dir)}
	if got := p.read().Incidents["i1"]; got.Token != rec.Token {
		t.Errorf("the incident came back as %+v", got)
	}
}
