package cluster_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/drwatch/drwatch/internal/quorum"
)

// says waits until an observer's store tells something.
func (c *trio) says(name string, texts ...string) {
	c.Helper()
	for _, text := range texts {
		waitFor(c.T, name+" to say "+text, func() bool { return strings.Contains(c.stores[name].Status().LastError, text) })
	}
}

// live makes observers be known as alive.
func (c *trio) live(names ...string) {
	c.Helper()
	for _, n := range names {
		waitFor(c.T, n+" to be alive", func() bool { return c.stores[n].Renew(c.Context()) == nil })
	}
}

func (c *trio) close(name string) {
	c.Helper()
	if err := c.stores[name].Close(); err != nil {
		c.Errorf("closing %s: %v", name, err)
	}
}

// started are the members that have begun, as an observer's roster has them.
func (c *trio) started(by string) string {
	c.Helper()
	r, err := c.stores[by].Roster(c.Context())
	if err != nil {
		c.Fatal(err)
	}
	var out []string
	for _, m := range r.Members {
		if m.Started {
			out = append(out, m.Name)
		}
	}
	return strings.Join(out, " ")
}

// An observer that has lost its data, and what it remembered of it or not, does
// not begin by itself; when it was replaced it joins without anything else.
func TestAnEmptyDirectoryIsReplaced(t *testing.T) {
	for _, row := range []struct {
		name string
		lose func(t *testing.T, dir string)
	}{
		{"the data alone", func(t *testing.T, dir string) {
			t.Helper()
			remove(t, dir)
		}},
		{"the whole storage", func(t *testing.T, dir string) {
			t.Helper()
			remove(t, dir)
			remove(t, dir+".seen.json")
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := newTrio(t, true)
			c.openAll()
			a := c.stores["obs-a"]
			if err := a.Freeze(t.Context(), "alice", "before the loss"); err != nil {
				t.Fatal(err)
			}
			c.close("obs-b")
			row.lose(t, c.dirs["obs-b"])
			b := c.open("obs-b")
			c.says("obs-b", "its directory is empty", "drwatch member replace obs-b")
			if _, err := b.Read(t.Context()); !errors.Is(err, quorum.ErrNotJoined) || !containsText(err, "drwatch member replace obs-b") {
				t.Errorf("reading says %v, want what to do", err)
			}
			if got := c.started("obs-a"); got != "obs-a obs-b obs-w" {
				t.Errorf("started are %q", got)
			}
			c.live("obs-a", "obs-w")
			if err := a.ReplaceMember(t.Context(), "obs-b", "alice@127.0.0.1", "its disk is gone"); err != nil {
				t.Fatal(err)
			}
			c.joins("obs-b")
			if cl, err := b.Read(t.Context()); err != nil || cl.Freeze == nil {
				t.Errorf("the replaced member reads freeze %v, %v", cl.Freeze, err)
			}
			waitFor(t, "all to have started", func() bool { return c.started("obs-w") == "obs-a obs-b obs-w" })
			journal, err := a.Journal(t.Context(), "operator")
			if err != nil || len(journal) != 2 || journal[1].Event != "member_replace" || !strings.Contains(journal[1].Text, "obs-b by alice@127.0.0.1: its disk is gone") {
				t.Errorf("the journal of persons is %+v, %v", journal, err)
			}
		})
	}
}

// A member that comes back with the data that it had before it was replaced is
// not let in, and says what to do.
func TestOldDataOfAReplacedMember(t *testing.T) {
	t.Parallel()
	c := newTrio(t, false)
	c.openAll()
	c.live("obs-a", "obs-b")
	c.close("obs-w")
	if err := c.stores["obs-a"].ReplaceMember(t.Context(), "obs-w", "alice", "thought lost"); err != nil {
		t.Fatal(err)
	}
	c.open("obs-w")
	c.says("obs-w", "has removed or replaced this member", "move its data directory away")
	remove(t, filepath.Join(c.dirs["obs-w"], "member"))
	c.joins("obs-w")
}

func TestWhatMembersMustNotBeChanged(t *testing.T) {
	t.Parallel()
	c := newTrio(t, false)
	c.openAll()
	a := c.stores["obs-a"]
	c.live(c.names...)
	refused := func(what string, err, kind error, text string) {
		t.Helper()
		if !errors.Is(err, kind) || !containsText(err, text) {
			t.Errorf("%s: got %v, want %v with %q", what, err, kind, text)
		}
	}
	refused("one that is alive", a.ReplaceMember(t.Context(), "obs-b", "alice", "x"), quorum.ErrRefused, "it is alive")
	refused("oneself", a.RemoveMember(t.Context(), "obs-a", "alice", "x"), quorum.ErrRefused, "ask another one")
	refused("nobody", a.RemoveMember(t.Context(), "obs-x", "alice", "x"), quorum.ErrNotFound, "obs-a, obs-b, obs-w")
	c.close("obs-w")
	if err := a.RemoveMember(t.Context(), "obs-w", "alice", "given up"); err != nil {
		t.Fatal(err)
	}
	r, err := a.Roster(t.Context())
	if err != nil || len(r.Members) != 2 || !r.Agreed || len(r.Differs) != 1 || !strings.Contains(r.Differs[0], "obs-w is in initial_cluster here, and not a member") {
		t.Errorf("the roster is %+v, %v", r, err)
	}
	kill(t, theMember(t, c.dirs["obs-b"]), stop)
	if r, err := a.Roster(t.Context()); err != nil || r.Agreed || len(r.Members) != 2 {
		t.Errorf("without a majority the roster is %+v, %v; want what was known last", r, err)
	}
	if err := a.ReplaceMember(t.Context(), "obs-w", "alice", "x"); err == nil {
		t.Error("the members were changed without a majority")
	}
	kill(t, theMember(t, c.dirs["obs-b"]), cont)
	waitFor(t, "a majority", func() bool { return c.answers("obs-a") == nil })
	// Bringing back the one that was removed adds it.
	remove(t, c.dirs["obs-w"])
	c.open("obs-w")
	c.says("obs-w", "does not have it as a member", "drwatch member replace obs-w")
	c.live("obs-a", "obs-b")
	if err := a.ReplaceMember(t.Context(), "obs-w", "alice", "back again"); err != nil {
		t.Fatal(err)
	}
	c.joins("obs-w")
}

// Two of three dead: the one that is left must not make itself the majority.
func TestNoMajorityIsMadeByRemoval(t *testing.T) {
	t.Parallel()
	c := newTrio(t, false)
	c.openAll()
	c.close("obs-b")
	// obs-w's member lives and its observer never renewed, so it does not count.
	err := c.stores["obs-a"].ReplaceMember(t.Context(), "obs-b", "alice", "x")
	if !errors.Is(err, quorum.ErrRefused) || !containsText(err, "no majority") {
		t.Errorf("got %v", err)
	}
}

// All directories emptied is a store that is lost: nobody begins before a person
// has said so at each observer.
func TestAllDirectoriesEmptied(t *testing.T) {
	t.Parallel()
	c := newTrio(t, false)
	c.openAll()
	for _, n := range c.names {
		waitFor(t, n+" to read", func() bool { return c.answers(n) == nil })
	}
	for _, n := range c.names {
		c.close(n)
		remove(t, c.dirs[n])
	}
	for _, n := range c.names {
		c.open(n)
	}
	for _, n := range c.names {
		waitFor(t, n+" to be frozen", func() bool { _, err := c.stores[n].Read(t.Context()); return errors.Is(err, quorum.ErrStoreReset) })
		if st := c.stores[n].Status(); !st.Reset || st.Joined {
			t.Errorf("%s: %+v", n, st)
		}
	}
	var wg sync.WaitGroup
	for _, n := range c.names {
		wg.Go(func() { _ = c.stores[n].AcceptReset(t.Context()) }) // each waits for the others, as long as a call may take
	}
	wg.Wait()
	for _, n := range c.names {
		waitFor(t, n+" to read", func() bool { return c.answers(n) == nil })
	}
}

// The store of a lone observer is a majority by itself, so it must not run where
// several are configured, nor the other way round.
func TestLoneAndSeveralAreNotMixed(t *testing.T) {
	t.Parallel()
	c := newTrio(t, false)
	alone := lone(t, c.dirs["obs-a"])
	waitFor(t, "the lone observer to join", func() bool { return alone.Status().Joined })
	if r, err := alone.Roster(t.Context()); err != nil || len(r.Members) != 1 || r.Members[0].Name != "obs-a" || r.Members[0].PeerURL != "" {
		t.Errorf("the members of a lone observer: %+v, %v; want it by its own name, without a peer URL", r.Members, err)
	}
	if err := alone.Close(); err != nil {
		t.Fatal(err)
	}
	c.open("obs-a")
	c.says("obs-a", "holds the store of a lone observer")
	if _, err := os.Stat(filepath.Join(c.dirs["obs-a"], "member")); err != nil {
		t.Errorf("its data: %v", err)
	}
	c.close("obs-a")

	d := newTrio(t, false)
	d.openAll()
	d.close("obs-b")
	alone = lone(t, d.dirs["obs-b"])
	waitFor(t, "the lone one to refuse", func() bool {
		return strings.Contains(alone.Status().LastError, "holds the store of a cluster of 3 members")
	})
}

// The first start waits for all others, and says for whom.
func TestTheFirstStartWaitsForOthers(t *testing.T) {
	t.Parallel()
	c := newTrio(t, false)
	c.open("obs-a")
	c.open("obs-b")
	c.says("obs-a", "obs-b answered, obs-w no answer")
	if c.stores["obs-a"].Status().Joined || c.stores["obs-b"].Status().Joined {
		t.Error("two of three formed a store although the third may know another")
	}
	c.open("obs-w")
	for _, n := range c.names {
		c.joins(n)
	}
}
