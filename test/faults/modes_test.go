package faults_test

import (
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestDryRunSendsNothing: by the daemon's ceiling, and by the rules' own mode
// under a daemon that could act, side by side on the same clouds.
func TestDryRunSendsNothing(t *testing.T) {
	t.Parallel()
	lanes := lanesOf("dry", replication.Providers()...)
	c := newField(t, time.Second, lanes...)
	modes := map[replication.Provider]string{}
	for _, p := range replication.Providers() {
		modes[p] = "dry_run"
	}
	daemons := []*daemon{start(t, c, setting{mode: "dry_run"}), start(t, c, setting{rules: rulesFor(ruling{modes: modes})})}
	lose(t, c, "az-a", cloudsim.Loss{})
	for _, d := range daemons {
		eventually(t, 60*time.Second, "every incident is simulated", func() string {
			incidents := d.incidents()
			for _, l := range lanes {
				if list := incidents[l.id]; len(list) == 0 || list[0].Phase != replication.Simulated {
					return l.name + ": " + show(list)
				}
			}
			return ""
		})
		for _, l := range lanes {
			list := d.incidents()[l.id]
			if len(list) != 1 || len(list[0].Calls) != 0 || list[0].Mode != replication.DryRun {
				t.Errorf("%s: %s", l.name, show(list))
			}
		}
		if n := d.scrape().sum("drwatch_incidents_total", "outcome=simulated"); n != float64(len(lanes)) {
			t.Errorf("drwatch_incidents_total of simulated is %g, want %d", n, len(lanes))
		}
	}
	for _, e := range c.Effects() {
		t.Errorf("a dry run had an effect: %+v", e)
	}
}

// TestFreezeAndPeople: frozen before the loss nothing happens; unfrozen, what is
// automatic goes once, and what wants a person waits for one.
func TestFreezeAndPeople(t *testing.T) {
	t.Parallel()
	auto := lanesOf("auto", replication.HuaweiEVS, replication.HuaweiDWS)
	yes, no := newLane(replication.HuaweiSDRS, "yes"), newLane(replication.HuaweiSDRS, "no")
	asked := newLane(replication.AliyunEBS, "asked")
	all := append([]*lane{yes, no, asked}, auto...)
	c := newField(t, time.Second, all...)
	d := start(t, c, setting{rules: rulesFor(ruling{modes: map[replication.Provider]string{replication.HuaweiSDRS: "approve", replication.AliyunEBS: "approve"}})})
	d.mustPost("/api/v1/freeze", `{"reason":"drill","who":"sre"}`)
	eventually(t, 10*time.Second, "the freeze is seen", func() string { return unless(d.scrape().sum("drwatch_frozen") == 1, "drwatch_frozen is not 1") })
	lose(t, c, "az-a", cloudsim.Loss{})
	eventually(t, 30*time.Second, "every rule fires and is blocked by the freeze", func() string {
		s := d.scrape()
		for _, l := range all {
			if s.sum("drwatch_rule_active", "group="+l.id, "state=firing") != 1 || s.sum("drwatch_guard_blocked", "group="+l.id, "guard=not_frozen") != 1 {
				return l.name + " does not"
			}
		}
		return ""
	})
	if n := len(c.Effects()); n != 0 || len(d.incidents()) != 0 {
		t.Errorf("frozen, and yet %d effects and %d incidents", n, len(d.incidents()))
	}
	d.mustPost("/api/v1/unfreeze", `{"reason":"over","who":"sre"}`)
	d.failedOverOnce(c, auto)
	eventually(t, 30*time.Second, "the others wait for a person", func() string {
		incidents := d.incidents()
		for _, l := range []*lane{yes, no, asked} {
			if list := incidents[l.id]; len(list) != 1 || list[0].HeldBy != "approval" {
				return l.name + ": " + show(list)
			}
		}
		return ""
	})
	for _, l := range []*lane{yes, no, asked} {
		if n := calls(c, l.id); n != 0 {
			t.Errorf("%s: %d calls before anybody approved", l.name, n)
		}
	}
	incident := func(l *lane) string { return "/api/v1/incidents/" + d.incidents()[l.id][0].ID }
	if code, _ := d.post(incident(yes)+"/approve", `{"who":"sre"}`); code != 400 {
		t.Errorf("an approval without a reason was answered with %d", code)
	}
	d.mustPost(incident(yes)+"/approve", `{"reason":"it is real","who":"sre"}`)
	d.mustPost(incident(asked)+"/approve", `{"reason":"it is real","who":"sre"}`)
	d.mustPost(incident(no)+"/abort", `{"reason":"leave it","who":"sre"}`)
	d.failedOverOnce(c, []*lane{yes, asked})
	eventually(t, 30*time.Second, "what was aborted has ended", func() string {
		list := d.incidents()[no.id]
		return unless(list[0].Phase == replication.Aborted, show(list))
	})
	if n := calls(c, no.id); n != 0 || len(d.incidents()[no.id]) != 1 {
		t.Errorf("aborted, and yet %d calls, %s", n, show(d.incidents()[no.id]))
	}
	if who := d.incidents()[yes.id][0].Approvals; len(who) != 1 || who[0].Reason != "it is real" {
		t.Errorf("approvals %+v", who)
	}
}

func unless(ok bool, why string) string {
	if ok {
		return ""
	}
	return why
}

func (d *daemon) mustPost(path, body string) {
	d.t.Helper()
	if code, answer := d.post(path, body); code != 200 {
		d.t.Fatalf("POST %s: %d %s", path, code, answer)
	}
}
