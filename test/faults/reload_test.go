package faults_test

import (
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestReload: in the middle of a hold it does not reset the timer, with a bad
// file it changes nothing, and in the middle of an incident it does not touch
// that.
func TestReload(t *testing.T) {
	t.Parallel()
	const hold = 6 * time.Second
	lanes := lanesOf("reload", replication.Providers()...)
	c := newField(t, time.Second, lanes...)
	d := start(t, c, setting{rules: rulesFor(ruling{hold: hold})})
	stuck := make([]string, len(lanes))
	for i, l := range lanes {
		stuck[i] = fault(t, c, cloudsim.Fault{Group: l.id, Operation: "failover", Fate: cloudsim.Stuck, Count: 1})
	}
	lose(t, c, "az-a", cloudsim.Loss{})
	eventually(t, 20*time.Second, "every hold timer runs", func() string {
		targets := d.targets()
		for _, l := range lanes {
			if targets[l.id].State != "pending" {
				return l.name + " is " + targets[l.id].State
			}
		}
		return ""
	})
	// Everything about the accounts changes, nothing about the rules.
	d.home.change(t, func(root doc) { each(root, func(account doc) { account["rpo_objective"] = "7m" }) })
	before := d.targets()
	d.mustPost("/-/reload", "")
	after := d.evaluatedAnew(time.Now())
	for _, l := range lanes {
		if b, a := before[l.id], after[l.id]; b.State != "pending" || a.State != "pending" || !a.Since.Equal(b.Since) {
			t.Errorf("%s: %s since %s before the reload and %s since %s after it", l.name, b.State, b.Since, a.State, a.Since)
		}
	}
	d.refusedReload(t, lanes)
	eventually(t, 30*time.Second, "every failover is under way", func() string {
		incidents := d.incidents()
		for _, l := range lanes {
			if list := incidents[l.id]; len(list) != 1 || list[0].Phase != replication.Verifying || calls(c, l.id) != 1 {
				return l.name + ": " + show(list)
			}
		}
		return ""
	})
	for _, l := range lanes {
		i := d.incidents()[l.id][0]
		if held := i.OpenedAt.Sub(i.Trigger.Since); held < hold {
			t.Errorf("%s: claimed after %s, sooner than the rule's %s", l.name, held, hold)
		}
	}
	if rpo := d.groups()[lanes[0].id].RPOSeconds; rpo == nil || *rpo != 420 {
		t.Errorf("the reload was not taken over: RPO objective %v", rpo)
	}
	// The rules of the incidents under way go away, and they do not mind.
	write(t, d.home.rules, strings.Replace(rulesFor(ruling{hold: 2 * hold}), "failover: huawei_evs", "failover: renamed", 1))
	d.mustPost("/-/reload", "")
	for i := range lanes {
		c.ClearFault(stuck[i])
	}
	d.failedOverOnce(c, lanes)
	for _, l := range lanes {
		if list := d.incidents()[l.id]; len(list) != 1 || calls(c, l.id) != 1 {
			t.Errorf("%s: %d calls, %s", l.name, calls(c, l.id), show(list))
		}
	}
}

// evaluatedAnew is what the rules see in a round that began after at.
func (d *daemon) evaluatedAnew(at time.Time) map[string]api.RuleTarget {
	d.t.Helper()
	rounds := 0
	eventually(d.t, 20*time.Second, "two more rounds", func() string {
		if now := d.status().EvaluatedAt; now.After(at) {
			at = now
			rounds++
		}
		return unless(rounds == 2, "not yet")
	})
	return d.targets()
}

// refusedReload tries a bad file, which changes nothing, and mends it.
func (d *daemon) refusedReload(t *testing.T, lanes []*lane) {
	t.Helper()
	good := rulesFor(ruling{hold: 6 * time.Second})
	before := d.scrape().sum("drwatch_config_last_reload_success_timestamp_seconds")
	write(t, d.home.rules, strings.Replace(good, "site_unreachable: az-a", "site_unreachable: az-z", 1)+"  nonsense: 1\n")
	code, answer := d.post("/-/reload", "")
	if code != 500 || !strings.Contains(answer, "rules.yml:7:") || !strings.Contains(answer, "nonsense") {
		t.Errorf("a bad rule file was answered with %d:\n%s", code, answer)
	}
	if !strings.Contains(d.home.logs.String(), `msg="reload refused"`) {
		t.Error("the log does not tell of the refused reload")
	}
	s := d.scrape()
	if s.sum("drwatch_config_last_reload_successful") != 0 || s.sum("drwatch_config_last_reload_success_timestamp_seconds") != before {
		t.Error("the refused reload does not show in /metrics")
	}
	if n := s.sum("drwatch_rule_info", "mode=auto"); n != float64(len(lanes)) {
		t.Errorf("after a refused reload %g rules are left, want %d", n, len(lanes))
	}
	write(t, d.home.rules, good)
	d.mustPost("/-/reload", "")
	s = d.scrape()
	if s.sum("drwatch_config_last_reload_successful") != 1 || s.sum("drwatch_config_last_reload_success_timestamp_seconds") <= before {
		t.Error("the reload that succeeded does not show in /metrics")
	}
}
