package cluster_test

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// Three observers form one store, and go on as long as two of them live.
func TestThreeMembers(t *testing.T) {
	t.Parallel()
	c := newTrio(t, true)
	began := time.Now()
	c.openAll()
	t.Logf("formed in %s", time.Since(began))
	a, b, w := c.stores["obs-a"], c.stores["obs-b"], c.stores["obs-w"]
	if err := a.Freeze(t.Context(), "alice", "written on one"); err != nil {
		t.Fatal(err)
	}
	for n, s := range c.stores {
		cl, err := s.Read(t.Context())
		if err != nil || cl.Freeze == nil || cl.Freeze.Who != "alice" {
			t.Errorf("%s reads freeze %v, %v", n, cl.Freeze, err)
		}
		waitFor(t, "the disk use", func() bool { return s.Status().DiskBytes > 0 })
		if used := s.Status().DiskBytes; used > 40<<20 {
			t.Errorf("%s takes %d bytes on disk", n, used)
		} else {
			t.Logf("%s takes %d KiB on disk", n, used>>10)
		}
	}

	kill(t, theMember(t, c.dirs["obs-w"]), syscall.SIGKILL)
	if err := b.Unfreeze(t.Context(), "bob", "one of three is dead"); err != nil {
		t.Errorf("writing with two of three: %v", err)
	}
	waitFor(t, "the killed member to come back", func() bool { st := w.Status(); return st.Joined && st.Restarts == 1 })
	if cl, err := w.Read(t.Context()); err != nil || cl.Freeze != nil {
		t.Errorf("the killed member reads freeze %v, %v", cl.Freeze, err)
	}
}

// With one of three left there is no majority: calls end within their deadline
// and say why, so does the status, and it recovers by itself.
func TestNoMajority(t *testing.T) {
	t.Parallel()
	c := newTrio(t, false)
	c.openAll()
	a := c.stores["obs-a"]
	pids := []int{theMember(t, c.dirs["obs-b"]), theMember(t, c.dirs["obs-w"])}
	for _, pid := range pids {
		kill(t, pid, stop)
	}
	waitFor(t, "the status to tell", func() bool {
		st := a.Status()
		return st.NoMajority && !st.Works() && strings.Contains(st.LastError, "no majority")
	})
	began := time.Now()
	if err := a.Freeze(t.Context(), "alice", "not by one alone"); !containsText(err, "no majority") {
		t.Errorf("freezing with one of three said %v", err)
	}
	if took := time.Since(began); took > 11*time.Second { // the read and what reads it back
		t.Errorf("the refusal took %s", took)
	}
	for _, pid := range pids {
		kill(t, pid, cont)
	}
	waitFor(t, "a majority", func() bool { return c.answers("obs-a") == nil && a.Status().Works() })
	if cl, err := a.Read(t.Context()); err != nil || cl.Freeze != nil {
		t.Errorf("what was refused is there: %v, %v", cl.Freeze, err)
	}
}
