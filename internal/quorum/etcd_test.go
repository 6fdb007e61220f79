package quorum_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/replication"
)

// client is another way to the store, beside drwatch.
func client(t *testing.T, s *quorum.Store) *clientv3.Client {
	t.Helper()
	cli, err := clientv3.New(clientv3.Config{Endpoints: []string{s.Status().ClientURL}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cli.Close() })
	return cli
}

func TestALargeClusterIsReadWholeAtOneRevision(t *testing.T) {
	t.Parallel()
	s := openStore(t, filepath.Join(t.TempDir(), "etcd"))
	p := &play{T: t, clock: newClock(), coordinator: s}
	p.claimed()
	cli := client(t, s)
	const groups = 1300
	for from := 0; from < groups; from += 100 {
		var ops []clientv3.Op
		for i := from; i < from+100; i++ {
			ops = append(ops, clientv3.OpPut(fmt.Sprintf("/drwatch/test/group/huawei_evs/g%04d", i), `{"baseline":"x"}`))
		}
		if _, err := cli.Txn(t.Context()).Then(ops...).Commit(); err != nil {
			t.Fatal(err)
		}
	}
	halt, stopped := make(chan struct{}), make(chan struct{})
	go func() { // the store goes on moving under the reader
		defer close(stopped)
		for {
			select {
			case <-halt:
				return
			default:
				_, _ = cli.Put(t.Context(), "/drwatch/test/group/huawei_evs/g0000", `{"baseline":"y"}`)
				_, _ = cli.Put(t.Context(), "/drwatch/test/group/huawei_evs/g1299", `{"baseline":"y"}`)
			}
		}
	}()
	for range 20 {
		c := p.read()
		if len(c.Groups) != groups+1 {
			t.Fatalf("%d groups, want %d", len(c.Groups), groups+1)
		}
		for k, g := range c.Groups {
			if g.Rev > c.Revision {
				t.Errorf("%s was read at revision %d, the cluster at %d", k, g.Rev, c.Revision)
			}
		}
		first, last := c.Groups[evs(0)], c.Groups[evs(1299)]
		if d := first.Rev - last.Rev; first.Baseline == "y" && d > 1 {
			t.Errorf("written in turn, read %d revisions apart", d)
		}
	}
	close(halt)
	<-stopped
}

func evs(n int) replication.GroupKey {
	return replication.GroupKey{Provider: replication.HuaweiEVS, ID: fmt.Sprintf("g%04d", n)}
}

// The alarm that etcd raises when its quota or disk is used up makes it refuse
// writes until it is disarmed, which etcd never does by itself. Here the cause is
// a database full of what is past already.
func TestNoSpaceAlarm(t *testing.T) {
	t.Parallel()
	const quota = 24 << 20
	s := openStore(t, filepath.Join(t.TempDir(), "etcd"), func(o *quorum.Options) { o.Quota, o.LeaseTTL = quota, time.Minute })
	p := &play{T: t, clock: newClock(), coordinator: s}
	rec := p.claimed()
	cli := client(t, s)
	var err error
	for big := strings.Repeat("x", 1<<20); err == nil; {
		_, err = cli.Put(t.Context(), "/elsewhere", big)
	}
	t.Logf("the store is full: %v", err)
	intent := p.intent(rec)
	began := time.Now()
	_, err = s.Write(t.Context(), intent)
	if !containsText(err, "out of space") || !containsText(err, "by itself") {
		t.Errorf("got %v, want it to say what is wrong and who does something about it", err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the refusal took %s", took)
	}
	if got := s.Status(); got.Alarm != "NOSPACE" || got.Works() || !strings.Contains(got.LastError, "NOSPACE") {
		t.Errorf("the status is %+v", got)
	}
	if err := s.Renew(t.Context()); err == nil {
		t.Error("the heartbeat was written all the same")
	}
	waitFor(t, "the store to make room", func() bool { _, err = s.Write(t.Context(), p.intent(rec)); return err == nil })
	waitFor(t, "the status to show the end of it", func() bool { return s.Status().Alarm == "" })
	st, err := cli.Status(t.Context(), s.Status().ClientURL)
	p.ok(err)
	if st.DbSize > quota/2 {
		t.Errorf("the database still has %d bytes", st.DbSize)
	}
}

// A stopped member neither blocks for longer than a call's deadline nor the
// status at all.
func TestAHangingMember(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	s := openStore(t, dir)
	pid := theMember(t, dir)
	kill(t, pid, stop)
	began := time.Now()
	if _, err := s.Read(t.Context()); err == nil {
		t.Error("a stopped member answered")
	}
	if took := time.Since(began); took > 7*time.Second {
		t.Errorf("the call took %s", took)
	}
	began = time.Now()
	s.Status()
	if took := time.Since(began); took > time.Second {
		t.Errorf("the status took %s", took)
	}
	waitFor(t, "the status to tell", func() bool { st := s.Status(); return !st.Works() && strings.Contains(st.LastError, "does not answer") })
	kill(t, pid, cont)
	waitFor(t, "the member to answer again", func() bool { _, err := s.Read(t.Context()); return err == nil })
	waitFor(t, "the status to be good again", func() bool { st := s.Status(); return st.Works() && st.LastError == "" })
	kill(t, pid, stop)
	began = time.Now()
	_ = s.Close() // the lease cannot be given back
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("closing took %s", took)
	}
	if pids := members(t, dir); len(pids) != 0 {
		t.Errorf("members %v are left", pids)
	}
}
