package collector_test

import (
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/probe"
)

const reachableA = `{__name__="drwatch_site_reachable", site="az-a"}`

// verdict is what the snapshot says of a site.
func verdict(t *testing.T, h *house, name string) string {
	t.Helper()
	s, ok := h.Snapshot().Site(name)
	switch {
	case !ok:
		t.Fatalf("site %s is not in the snapshot", name)
	case !s.Verdict.Known:
		return "unknown"
	case s.Verdict.Reachable:
		return "1"
	}
	return "0"
}

func TestVerdictsFollowTheProbes(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		h.run(t, only())
		began := time.Now()
		after(time.Millisecond)
		if a, b, w := verdict(t, h, "az-a"), verdict(t, h, "az-b"), verdict(t, h, "witness"); a != "1" || b != "1" || w != "unknown" {
			t.Errorf("verdicts %s, %s, %s", a, b, w)
		}
		h.set("az-a/vip", true)
		after(5 * time.Second)
		if got := verdict(t, h, "az-a"); got != "1" {
			t.Errorf("%s with one of two probes failing, want 1", got)
		}
		for len(h.Changed()) > 0 {
			<-h.Changed()
		}
		h.set("az-a/db", true)
		after(5 * time.Second)
		if got := verdict(t, h, "az-a"); got != "0" {
			t.Errorf("%s with both probes failing, want 0", got)
		}
		if len(h.Changed()) != 1 {
			t.Error("no token says that a verdict changed")
		}
		if v, ok := h.series.value(reachableA); !ok || v != 0 {
			t.Errorf("series %v, %t, want 0", v, ok)
		}
		s, _ := h.Snapshot().Site("az-a")
		if since := s.Since.Sub(began); since != 10*time.Second {
			t.Errorf("since %s, want 10s", since)
		}
		after(time.Minute)
		if s, _ := h.Snapshot().Site("az-a"); s.Since.Sub(began) != 10*time.Second {
			t.Errorf("since moved to %s while nothing changed", s.Since.Sub(began))
		}
	})
}

// A probe that stops giving results makes the verdict unknown, never 0, and at
// the very moment its last result is two intervals old.
func TestSilentProbeMakesTheVerdictUnknown(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		h.set("az-a/vip", true)
		h.set("az-a/db", true)
		h.run(t, only())
		after(time.Millisecond)
		if got := verdict(t, h, "az-a"); got != "0" {
			t.Fatalf("%s, want 0", got)
		}
		h.silence("az-a/db") // three failures at 8s, 13s and 18s, then nothing
		after(18*time.Second + 9990*time.Millisecond)
		if got := verdict(t, h, "az-a"); got != "0" {
			t.Errorf("%s while both results are fresh, want 0", got)
		}
		after(20 * time.Millisecond)
		if got := verdict(t, h, "az-a"); got != "unknown" {
			t.Errorf("%s after the last result of one probe got too old, want unknown", got)
		}
		if v, ok := h.series.value(reachableA); ok {
			t.Errorf("series still says %v", v)
		}
		after(time.Minute)
		if got := verdict(t, h, "az-a"); got != "unknown" {
			t.Errorf("%s a minute later, want unknown", got)
		}
		if got := verdict(t, h, "az-b"); got != "1" {
			t.Errorf("%s of the other site, want it undisturbed", got)
		}
	})
}

func TestReferences(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		const isolated = `{__name__="drwatch_observer_isolated"}`
		s := only()
		h.run(t, s)
		after(time.Second)
		if v, ok := h.series.value(isolated); ok {
			t.Errorf("isolated is %v without references", v)
		}
		s.References = []probe.Spec{spec("", "r1"), spec("", "r2"), spec("", "r3")}
		if err := h.Update(s); err != nil {
			t.Fatal(err)
		}
		after(time.Second)
		if v, ok := h.series.value(isolated); !ok || v != 0 {
			t.Errorf("isolated is %v, %t, want 0", v, ok)
		}
		h.set("/r1", true)
		h.set("/r3", true)
		after(5 * time.Second)
		if v, ok := h.series.value(isolated); !ok || v != 1 || h.Snapshot().References.Reachable || h.Snapshot().ReferenceCount != 3 {
			t.Errorf("isolated is %v, %t with two of three references failing, want 1", v, ok)
		}
		if v, ok := h.series.value(`{__name__="drwatch_probe_success", probe="r1"}`); !ok || v != 0 {
			t.Errorf("the reference's own series is %v, %t, want 0", v, ok)
		}
	})
}

func TestUpdateKeepsProbesThatStay(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		s := only()
		h.set("az-b/vip", true)
		h.run(t, s)
		after(time.Second)
		changed := only()
		changed.Sites[1].Probes[0].Target = "elsewhere"
		if err := h.Update(changed); err != nil {
			t.Fatal(err)
		}
		if got := verdict(t, h, "az-a"); got != "1" {
			t.Errorf("%s of the site that stayed, want 1", got)
		}
		if got := verdict(t, h, "az-b"); got != "unknown" {
			t.Errorf("%s of the site whose probe changed, want unknown until it is probed", got)
		}
		after(5 * time.Second)
		if got := verdict(t, h, "az-b"); got != "1" {
			t.Errorf("%s by the new target, want 1", got)
		}
		if n := len(h.Pace()); n != 3 {
			t.Errorf("pace of %d probes, want 3", n)
		}
	})
}

func TestRunOnlyOnce(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		h.run(t, collector.Settings{})
		after(time.Second)
		if err := h.Run(t.Context()); err == nil {
			t.Error("ran twice")
		}
		if !h.Ready() {
			t.Error("not ready with nothing to poll")
		}
	})
}
