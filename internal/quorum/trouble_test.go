package quorum_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/drwatch/drwatch/internal/quorum"
)

// A disk that takes seconds for each sync: writes end within their deadline and
// say so, the lease is not kept, and all goes on when the disk is fast again.
func TestASlowDisk(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	s := openStore(t, dir, func(o *quorum.Options) { o.LeaseTTL = 3 * time.Second })
	p := &play{T: t, clock: newClock(), coordinator: s}
	rec := p.claimed()
	fast, ok := slowDisk(t, theMember(t, dir))
	if !ok {
		t.Log("syncs cannot be delayed here (strace, and the right to attach it); TestAHangingMember stands in for the slow disk")
		return
	}
	began := time.Now()
	_, err := s.Write(t.Context(), p.lastWords(rec))
	took := time.Since(began)
	t.Logf("after %s the write said: %v", took, err) // it may have been found when it was read back
	if err != nil && !errors.Is(err, quorum.ErrUncertain) || took > 12*time.Second {
		t.Errorf("writing took %s: %v, want that it is not known", took, err)
	}
	waitFor(t, "the status to tell", func() bool {
		_ = s.EndEpisode(t.Context(), "r1", group2, "i1") // it reads, and writes when that is answered
		st := s.Status()
		return !st.Works() && (st.NoWrites || st.NoReads) && (strings.Contains(st.LastError, "gives no answer to") || strings.Contains(st.LastError, "does not answer"))
	})
	waitFor(t, "the lease to run out", func() bool { return s.Renew(t.Context()) != nil && s.LeaseLeft() == 0 })
	fast()
	waitFor(t, "the lease to be back", func() bool { return s.Renew(t.Context()) == nil })
	waitFor(t, "the status to be good again", func() bool { st := s.Status(); return st.Works() && st.LastError == "" })
	if got := p.read().Incidents["i1"]; got.Token != rec.Token {
		t.Errorf("the incident came back as %+v", got)
	}
}

// slowDisk delays each sync of a process by six seconds until fast is called.
func slowDisk(t *testing.T, pid int) (fast func(), ok bool) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		return nil, false
	}
	const syncs = "fsync,fdatasync"
	cmd := exec.Command(strace, "-f", "-o", os.DevNull, "-e", "trace="+syncs, "-e", "inject="+syncs+":delay_enter=6000000", "-p", strconv.Itoa(pid))
	if err := cmd.Start(); err != nil {
		return nil, false
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is interrupted
	}()
	fast = func() {
		_ = cmd.Process.Signal(syscall.SIGINT) // it detaches
		<-ended
	}
	t.Cleanup(fast)
	for {
		select {
		case <-ended:
			return nil, false
		default:
		}
		b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
		if err == nil && strings.Contains(string(b), "TracerPid:\t"+strconv.Itoa(cmd.Process.Pid)) {
			return fast, true
		}
		tick()
	}
}

// A member that crashes as often as it is started costs little, is told with what
// it said at last, and joins by itself when the cause is gone.
func TestAMemberThatCrashesInALoop(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	broken := dir + ".broken"
	script := `if [ -e "` + broken + `" ]; then echo "panic: the library is broken" >&2; exit 2; fi; exec "$0" "$@"`
	s := openStore(t, dir, func(o *quorum.Options) {
		o.Command = append([]string{"/bin/bash", "-c", script}, o.Command...)
		o.LeaseTTL = 3 * time.Second
	})
	p := &play{T: t, clock: newClock(), coordinator: s}
	rec := p.claimed()
	writeFile(t, broken, nil)
	kill(t, theMember(t, dir), syscall.SIGKILL)
	began := time.Now()
	waitFor(t, "six starts", func() bool { return s.Status().Restarts >= 6 })
	if took := time.Since(began); took < 3*time.Second {
		t.Errorf("six starts took %s: they do not become rarer", took)
	}
	st := s.Status()
	if st.Works() || !strings.Contains(st.LastError, "panic: the library is broken") {
		t.Errorf("the status is %+v", st)
	}
	began = time.Now()
	if _, err := s.Read(t.Context()); !errors.Is(err, quorum.ErrNotJoined) || !containsText(err, "the library is broken") {
		t.Errorf("reading: %v", err)
	}
	if err := s.Renew(t.Context()); !errors.Is(err, quorum.ErrNotJoined) || s.LeaseLeft() > 3*time.Second {
		t.Errorf("renewing: %v, %s of the lease are left", err, s.LeaseLeft())
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("calls took %s", took)
	}
	remove(t, broken)
	waitFor(t, "the store to be back", func() bool { return s.Status().Works() && s.Renew(t.Context()) == nil })
	if got := p.read().Incidents["i1"]; got.Token != rec.Token {
		t.Errorf("the incident came back as %+v", got)
	}
}

// What bounds the store on the disk, as etcd itself has it: the quota, the size of
// its log's files, and that the past is dropped.
func TestTheStoreStaysSmall(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	s := openStore(t, dir, func(o *quorum.Options) { o.History = time.Second })
	cli := client(t, s)
	st, err := cli.Status(t.Context(), s.Status().ClientURL)
	if err != nil || st.DbSizeQuota != 256<<20 {
		t.Errorf("the quota is %d (%v), want 256 MiB", st.DbSizeQuota, err)
	}
	logs, err := filepath.Glob(filepath.Join(dir, "member", "wal", "*.wal"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no log: %v", err)
	}
	for _, l := range logs {
		if info, err := os.Stat(l); err != nil || info.Size() > 4<<20 {
			t.Errorf("%s takes %d bytes (%v), want at most 4 MiB", l, info.Size(), err)
		}
	}
	first, err := cli.Put(t.Context(), "/elsewhere", "1")
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the past to be dropped", func() bool {
		_, err := cli.Put(t.Context(), "/elsewhere", "2")
		_, past := cli.Get(t.Context(), "/elsewhere", clientv3.WithRev(first.Header.Revision))
		return err == nil && errors.Is(past, rpctypes.ErrCompacted)
	})
}

// One observer has one watch, also after its member was away.
func TestOneWatchPerObserver(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	s := openStore(t, dir)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Watch(t.Context(), func() {})
	}()
	t.Cleanup(func() { <-ended })
	watches := func() string {
		resp, err := http.Get(s.Status().ClientURL + "/metrics")
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			return err.Error()
		}
		_, rest, _ := strings.Cut(string(b), "\netcd_debugging_mvcc_watcher_total ")
		n, _, _ := strings.Cut(rest, "\n")
		return n
	}
	waitFor(t, "one watch", func() bool { return watches() == "1" })
	kill(t, theMember(t, dir), syscall.SIGKILL)
	waitFor(t, "one watch again", func() bool { return s.Status().Restarts == 1 && watches() == "1" })
	p := &play{T: t, clock: newClock(), coordinator: s}
	p.claimed()
	for range 10 {
		p.ok(p.Renew(t.Context()))
		p.read()
	}
	if n := watches(); n != "1" {
		t.Errorf("%s watches, want one", n)
	}
}
