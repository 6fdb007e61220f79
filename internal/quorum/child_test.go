package quorum_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/replication"
)

const (
	stop = syscall.SIGSTOP
	cont = syscall.SIGCONT
)

func kill(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
	if sig == stop { // it takes a moment, in which much could be answered
		waitFor(t, "each of its threads to stop", func() bool {
			threads, err := filepath.Glob(filepath.Join("/proc", itoa(pid), "task", "*", "stat"))
			if err != nil || len(threads) == 0 {
				t.Fatalf("process %d has no threads: %v", pid, err)
			}
			for _, path := range threads {
				if b, err := os.ReadFile(path); err == nil && !strings.Contains(string(b), ") T ") {
					return false
				}
			}
			return true
		})
	}
}

// theMember is the one member process in dir.
func theMember(t *testing.T, dir string) int {
	t.Helper()
	pids := members(t, dir)
	if len(pids) != 1 {
		t.Fatalf("%d members run in %s, want 1", len(pids), dir)
	}
	return pids[0]
}

func TestOpenReturnsAtOnceAndCallsFailFast(t *testing.T) {
	t.Parallel()
	s := openRaw(t, filepath.Join(t.TempDir(), "etcd"), func(o *quorum.Options) { o.Command = []string{"/nonexistent"} })
	began := time.Now()
	_, err := s.Read(t.Context())
	if !errors.Is(err, quorum.ErrNotJoined) {
		t.Errorf("got %v, want ErrNotJoined", err)
	}
	waitFor(t, "the reason", func() bool { return strings.Contains(s.Status().LastError, "/nonexistent") })
	if _, err := s.Read(t.Context()); !containsText(err, "/nonexistent") {
		t.Errorf("got %v, want the reason in it", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
	if s.LeaseLeft() != 0 {
		t.Errorf("%s are left of a lease that there is not", s.LeaseLeft())
	}
}

func TestRestartKeepsAllAndANewLifeHasNoOldVotes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	c := newClock()
	first := openStore(t, dir)
	p := &play{T: t, clock: c, coordinator: first}
	rec := p.claimed()
	p.ok(p.PublishVotes(t.Context(), []replication.Vote{vote(group1, replication.Veto), vote(group2, replication.Go)}))
	kill(t, theMember(t, dir), syscall.SIGKILL) // so that the lease is not given back
	waitFor(t, "the member to be lost", func() bool { return first.Status().Restarts == 1 })
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	p = &play{T: t, clock: c, coordinator: openStore(t, dir)}
	before := p.read()
	if diff := cmp.Diff(rec, before.Incidents["i1"]); diff != "" {
		t.Errorf("the incident changed over a restart (-before +after):\n%s", diff)
	}
	p.lead()
	after := p.read()
	if n := len(votesOn(after, group2)); n != 0 {
		t.Errorf("%d votes of the former life live on under the new heartbeat", n)
	}
	if len(after.Votes) != 1 || after.Votes[0].Verdict != replication.Veto {
		t.Errorf("votes are %v, want the veto of the former life alone", after.Votes)
	}
	if after.Leader.CreateRev == rec.Holder.LeaderRev {
		t.Error("the election of the former life lives on")
	}
}

func TestKillOfTheMemberLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	s := openStore(t, dir)
	p := &play{T: t, clock: newClock(), coordinator: s}
	p.lead()
	var acked, unclear time.Duration
	for run := range 3 {
		killed := make(chan struct{})
		pid := theMember(t, dir)
		for done, in := false, 0; !done; {
			switch err := s.Tick(t.Context(), 1); {
			case err == nil:
				acked++
				if in++; in == 4 { // it is under way: it ends in the middle of one of the next
					time.AfterFunc(time.Duration(20+15*run)*time.Millisecond, func() {
						_ = syscall.Kill(pid, syscall.SIGKILL)
						close(killed)
					})
				}
			case errors.Is(err, quorum.ErrUncertain):
				unclear++
			}
			select {
			case <-killed:
				done = true
			default:
			}
		}
		waitFor(t, "the member to come back", func() bool { return s.Status().Joined && s.Status().Restarts == run+1 })
	}
	got := p.read().Clock
	t.Logf("%d ticks acknowledged, %d unclear, clock at %d", acked, unclear, got)
	if got < acked || got > acked+unclear {
		t.Errorf("the clock is at %d after %d acknowledged and %d unclear ticks", got, acked, unclear)
	}
	if acked < 10 {
		t.Errorf("only %d ticks were acknowledged: the test did not test", acked)
	}
	if s.LeaseLeft() == 0 {
		t.Error("the lease was lost by a restart of the member")
	}
	p.ok(p.Renew(t.Context()))
}

// A write whose answer is lost with the member is read back from the next one.
func TestUnansweredClaimIsReadBack(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	s := openStore(t, dir)
	p := &play{T: t, clock: newClock(), coordinator: s}
	p.lead()
	p.ok(p.PublishVotes(t.Context(), []replication.Vote{vote(group1, replication.Go)}))
	claim := claimOf(p.read(), "i1", group1)
	pid := theMember(t, dir)
	kill(t, pid, syscall.SIGSTOP) // the request waits in its socket
	time.AfterFunc(300*time.Millisecond, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	_, err := s.Claim(t.Context(), claim)
	waitFor(t, "the member to come back", func() bool { return s.Status().Joined && s.Status().Restarts == 1 })
	_, there := p.read().Incidents["i1"]
	if there || err == nil {
		t.Fatalf("claim by a stopped member: there %v, error %v; want neither there nor claimed", there, err)
	}
	if _, err := s.Claim(t.Context(), claim); err != nil {
		t.Errorf("the same claim again: %v", err)
	}
}

func TestTheMemberOutlivesSignalsButNotItsParent(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	cmd := exec.Command(os.Args[0], "store-parent", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "joined\n" {
		t.Fatalf("the parent said %q, %v", line, err)
	}
	pid := theMember(t, dir)
	if pgid, err := syscall.Getpgid(pid); err != nil || pgid != pid {
		t.Errorf("the member is in group %d (%v), want one of its own, %d", pgid, err, pid)
	}
	kill(t, pid, syscall.SIGINT)
	kill(t, pid, syscall.SIGTERM)
	kill(t, pid, syscall.SIGHUP)
	for range 20 {
		tick()
	}
	if theMember(t, dir) != pid {
		t.Error("a signal ended the member")
	}
	kill(t, cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Wait() // it was killed
	began := time.Now()
	s := openStore(t, dir)
	if n := len(members(t, dir)); n != 1 {
		t.Errorf("%d members run, want the new one alone", n)
	}
	if _, err := s.Read(t.Context()); err != nil {
		t.Error(err)
	}
	t.Logf("joined %s after the parent's death", time.Since(began))
}

func TestALeftOverMemberIsWaitedFor(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	s := openRaw(t, dir)
	waitFor(t, "the store to say that it waits", func() bool { return strings.Contains(s.Status().LastError, "another process") })
	if s.Status().Joined {
		t.Error("it joined beside the other process")
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the store to join", func() bool { return s.Status().Joined })
}

func TestStopEndsTheMember(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	s := openStore(t, dir)
	p := &play{T: t, clock: newClock(), coordinator: s}
	p.lead()
	began := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if pids := members(t, dir); len(pids) != 0 {
		t.Errorf("members %v are left", pids)
	}
	t.Logf("closed in %s", time.Since(began))
	if _, err := s.Read(t.Context()); !errors.Is(err, quorum.ErrNotJoined) {
		t.Errorf("reading after close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	c := openStore(t, dir)
	cluster, err := c.Read(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if cluster.Leader != nil || len(cluster.Observers) != 0 {
		t.Errorf("leader %v and observers %v outlived a regular end", cluster.Leader, cluster.Observers)
	}
}

func TestStartIsQuickAndSmall(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "etcd")
	began := time.Now()
	s := openStore(t, dir)
	first := time.Since(began)
	pid := theMember(t, dir)
	p := &play{T: t, clock: newClock(), coordinator: s}
	p.claimed()
	status, err := os.ReadFile(filepath.Join("/proc", itoa(pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(status), "\n") {
		if strings.HasPrefix(line, "VmRSS") {
			t.Logf("%s", line)
		}
	}
	waitFor(t, "the disk use", func() bool { return s.Status().DiskBytes > 0 })
	t.Logf("joined in %s, %d KiB on disk", first, s.Status().DiskBytes>>10)
	if s.Status().DiskBytes > 32<<20 {
		t.Errorf("%d bytes on disk for an almost empty store", s.Status().DiskBytes)
	}
}
