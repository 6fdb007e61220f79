package quorum_test

import (
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/drwatch/drwatch/internal/quorum"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
)

// When another member comes to lead the others, each lease has its whole time again,
// on etcd as on the model.
func TestAnElectionGivesLeasesTheirTime(t *testing.T) {
	t.Parallel()
	const ttl = 5 * time.Minute
	e := &onEtcd{}
	e.threeMembers(t)
	id, _, err := quorum.Below(e.stores[0]).Grant(t.Context(), ttl)
	if err != nil {
		t.Fatal(err)
	}
	cli := client(t, e.stores[0])
	left := func() time.Duration {
		r, err := cli.TimeToLive(t.Context(), clientv3.LeaseID(id))
		if err != nil || r.TTL <= 0 {
			return 0 // there may be no leader at the moment
		}
		return time.Duration(r.TTL) * time.Second
	}
	used := time.Duration(0)
	waitFor(t, "some of the lease to be used", func() bool { used = left(); return used > 0 && used <= ttl-3*time.Second })
	waitFor(t, "another member to lead", func() bool { return e.moveLead(t) })
	again := time.Duration(0)
	waitFor(t, "the new leader to know the lease", func() bool { again = left(); return again > used })

	c := newClock()
	s := quorumtest.New(c.now, "obs-a", "az-b")
	if _, _, err := s.Client().Grant(t.Context(), ttl); err != nil {
		t.Fatal(err)
	}
	c.advance(ttl - used)
	s.Elect()
	if got := s.Ends()[0].At.Sub(c.now()); again > got.Round(time.Second)+time.Second || got <= used {
		t.Errorf("etcd's lease had %s, and %s after the election; the model's has %s", used, again, got)
	}
}

// moveLead asks the member that leads to let another one, and tells whether it did.
func (e *onEtcd) moveLead(t *testing.T) bool {
	t.Helper()
	for i, s := range e.stores {
		cli := client(t, s)
		st, err := cli.Status(t.Context(), s.Status().ClientURL)
		if err != nil || st.Leader != st.Header.MemberId {
			continue
		}
		next := e.stores[(i+1)%len(e.stores)]
		if to, err := client(t, next).Status(t.Context(), next.Status().ClientURL); err == nil {
			_, err = cli.MoveLeader(t.Context(), to.Header.MemberId)
			return err == nil
		}
	}
	return false
}
