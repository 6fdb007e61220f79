package crash_test

import (
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestKilledWhileACallIsUnderWay kills the daemon when its call has left and has
// no answer, and nothing is to be seen of it yet: only what was written down
// before the call tells the next run that there was one. It waits for the effect
// and sends nothing.
func TestKilledWhileACallIsUnderWay(t *testing.T) {
	t.Parallel()
	const late, life = 20 * time.Second, "CRASH_LIFE=60s"
	c, config := world(t)
	if _, err := c.AddFault(cloudsim.Fault{Operation: "failover", Answer: cloudsim.Cut, Late: late}); err != nil {
		t.Fatal(err)
	}
	storage := t.TempDir()
	first := start(t, config, storage, "sent", life)
	first.eventually("ready and fit", 40*time.Second, first.fit)
	if err := c.LoseSite("az-a", cloudsim.Loss{}); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-first.done:
		if !killed(err) {
			t.Fatalf("the daemon ended by itself: %v\n%s", err, first.logs())
		}
	case <-time.After(40 * time.Second):
		t.Fatalf("nothing was sent\n%s", first.logs())
	}
	c.ClearFaults() // for groups whose call has not left; the others' effects are on their way
	second := start(t, config, storage, "", life)
	second.eventually("all four groups have an end", 90*time.Second, func() bool { return ended(second) == 4 })
	judge(t, c, second)
	calls := map[string]int{}
	for _, e := range c.Effects() {
		if e.Kind == cloudsim.Called {
			calls[e.Group]++
		}
	}
	for _, g := range c.Groups() {
		// The kill may find the warehouse between its intent and the call: then none
		// is ever sent, and judge has seen that a person was told.
		unsent := g.Provider == replication.HuaweiDWS && calls[g.ID] == 0
		if calls[g.ID] != 1 && !unsent {
			t.Errorf("%s: %d calls, want 1", g.Name, calls[g.ID])
		}
	}
	second.end()
	if err := <-second.done; err != nil {
		t.Errorf("the daemon did not end in order: %v\n%s", err, second.logs())
	}
}
