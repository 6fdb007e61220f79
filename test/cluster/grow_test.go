package cluster_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/drwatch/drwatch/internal/quorum"
)

// Three observers become five and three again, while incidents are claimed. Each
// step that is taken too early is refused, and says what comes first.
func TestThreeBecomeFiveAndThreeAgain(t *testing.T) {
	t.Parallel()
	c := newCluster(t, true, "obs-a", "obs-b", "obs-d", "obs-e", "obs-w")
	three, five := []string{"obs-a", "obs-b", "obs-w"}, c.names
	refused := func(what string, err, kind error, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !errors.Is(err, kind) || !containsText(err, text) {
				t.Errorf("%s: got %v, want %v with %q", what, err, kind, text)
			}
		}
	}
	again := func(name string, names []string) { // a restart with another initial_cluster
		t.Helper()
		c.close(name)
		c.openAmong(name, names...)
		c.joins(name)
	}
	for _, n := range three {
		c.openAmong(n, three...)
	}
	for _, n := range three {
		c.joins(n)
	}

	c.openAmong("obs-d", five...)
	c.says("obs-d", "does not have it as a member", "whose initial_cluster names it", "drwatch member replace obs-d")
	refused("asking one that does not know it", c.stores["obs-a"].ReplaceMember(t.Context(), "obs-d", "alice", "x"), quorum.ErrNotFound,
		"obs-a, obs-b, obs-w", "add obs-d with its peer URL to initial_cluster of this observer, restart it, and ask again")
	for _, n := range three {
		again(n, five)
	}
	a := c.stores["obs-a"]
	c.live(three...)
	if _, leads, err := a.Lead(t.Context()); err != nil || !leads {
		t.Fatalf("obs-a does not lead: %v", err)
	}
	claims := &claimer{Store: a, T: t}
	halt, halted := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(halted)
		claims.until(halt)
	}()

	if err := a.ReplaceMember(t.Context(), "obs-d", "alice", "a fourth"); err != nil {
		t.Fatal(err)
	}
	c.joins("obs-d")
	refused("before the fourth is alive", a.ReplaceMember(t.Context(), "obs-e", "alice", "x"), quorum.ErrRefused, "obs-d is not alive")
	c.live("obs-d")
	refused("before the fifth runs", a.ReplaceMember(t.Context(), "obs-e", "alice", "x"), quorum.ErrRefused,
		"it does not answer at its peer URL", "start it with an empty directory first")
	c.openAmong("obs-e", five...)
	c.says("obs-e", "drwatch member replace obs-e")
	if err := a.ReplaceMember(t.Context(), "obs-e", "alice", "a fifth"); err != nil {
		t.Fatal(err)
	}
	c.joins("obs-e")
	c.live("obs-e")

	for _, n := range []string{"obs-b", "obs-w"} { // five go on without two
		c.close(n)
	}
	if err := a.Freeze(t.Context(), "alice", "with three of five"); err != nil {
		t.Errorf("writing with three of five: %v", err)
	}
	refused("a third would be a loss too much", a.RemoveMember(t.Context(), "obs-d", "alice", "x"), quorum.ErrRefused, "it is alive")
	if err := a.Unfreeze(t.Context(), "alice", "on"); err != nil {
		t.Error(err)
	}
	for _, n := range []string{"obs-b", "obs-w"} {
		c.openAmong(n, five...)
		c.joins(n)
	}
	c.live("obs-b", "obs-w")

	for _, n := range []string{"obs-e", "obs-d"} {
		c.close(n)
		if err := a.RemoveMember(t.Context(), n, "alice", "three are enough"); err != nil {
			t.Fatal(err)
		}
	}
	close(halt)
	<-halted
	c.openAmong("obs-e", five...) // by mistake
	c.says("obs-e", "has removed or replaced this member")
	for _, n := range three {
		again(n, three)
	}
	if r, err := c.stores["obs-b"].Roster(t.Context()); err != nil || len(r.Members) != 3 || len(r.Differs) != 0 {
		t.Errorf("the roster is %+v, %v", r, err)
	}
	cl, err := c.stores["obs-w"].Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range claims.made {
		if rec, ok := cl.Incidents[id]; !ok || !rec.Phase.Ended() {
			t.Errorf("incident %s was acknowledged and is %+v", id, rec.Incident)
		}
	}
	var sites []string
	for n := range cl.Registered {
		sites = append(sites, n)
	}
	if len(sites) != 3 {
		t.Errorf("the sites of %s count", strings.Join(sites, ", "))
	}
	t.Logf("%d claims, %d failed, the longest pause was %s", len(claims.made), claims.failed, claims.longest)
	if len(claims.made) < 10 || claims.failed > 10 {
		t.Errorf("%d claims, %d failed", len(claims.made), claims.failed)
	}
}
