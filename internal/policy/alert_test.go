package policy_test

import (
	"log/slog"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/alerts"
	"github.com/drwatch/drwatch/internal/policy"
	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/replication"
)

// inbox is what this observer's Alertmanagers send, into the world's history.
type inbox struct {
	*world
	book *alerts.Book
	now  time.Time
}

func newInbox(t testing.TB, rule rulefile.Rule) *inbox {
	t.Helper()
	i := &inbox{world: newWorld(t, "witness", rule)}
	i.book = alerts.New(alerts.Options{Series: i.store, Now: func() time.Time { return i.now }, Logger: slog.New(slog.DiscardHandler)})
	i.book.Want(policy.WantedAlerts([]policy.Loaded{{Rule: rule}}))
	return i
}

func alertRule(change ...func(*rulefile.Rule)) rulefile.Rule {
	return siteRule(append([]func(*rulefile.Rule){func(r *rulefile.Rule) { r.Alert = `{alertname="WarehouseDown"}` }}, change...)...)
}

func alertAlone(r *rulefile.Rule) { r.SiteUnreachable, r.Expr, r.Mode = "", "", replication.Approve }

// began and ended are times of Prometheus, whose clock is nobody's here.
func began(sec float64) time.Time {
	return time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC).Add(at(sec).Sub(base))
}

func fires(since float64, kv ...string) alerts.Alert {
	ls := map[string]string{"alertname": "WarehouseDown"}
	for i := 0; i < len(kv); i += 2 {
		ls[kv[i]] = kv[i+1]
	}
	return alerts.Alert{Labels: ls, Firing: true, StartsAt: began(since)}
}

func resolved(since, until float64, kv ...string) alerts.Alert {
	a := fires(since, kv...)
	a.Firing, a.EndsAt = false, began(until)
	return a
}

func (i *inbox) send(sec float64, list ...alerts.Alert) {
	i.t.Helper()
	i.now = at(sec)
	if err := i.book.Receive(list); err != nil {
		i.t.Fatal(err)
	}
}

func TestAlertAndSite(t *testing.T) {
	i := newInbox(t, alertRule(now))
	i.site(0, "az-a", 0)
	i.want(1, none)
	i.send(2, fires(0, "name", "other"))
	i.want(3, none) // another group's
	i.send(4, fires(0, "name", "db-1", "severity", "critical"))
	i.want(5, replication.Go)
	i.site(6, "az-a", 1)
	i.want(7, replication.Veto)
	i.site(8, "az-a", 0)
	i.want(9, replication.Go)
	i.send(10, resolved(0, 9, "name", "other"))
	i.want(11, replication.Go)
	i.send(12, resolved(0, 11, "name", "db-1", "severity", "critical"))
	i.want(13, none)
}

// The timer runs from when both were true here, and a resolved alert starts it
// anew.
func TestAlertHolds(t *testing.T) {
	i := newInbox(t, alertRule(alertAlone))
	i.want(1, none)
	i.send(10, fires(-3600)) // since an hour, says Prometheus
	if got := i.want(11, replication.Pending); !got.Since.Equal(at(10)) {
		t.Errorf("since %v, want when it came", got.Since)
	}
	i.send(40, fires(-3600))
	i.want(69.9, replication.Pending)
	if got := i.want(70, replication.Go); got.Value != 1 {
		t.Errorf("value %g", got.Value)
	}
	i.send(80, resolved(-3600, 79))
	i.want(81, none)
	if got := i.first(91); got.UntrueFor != 11*time.Second {
		t.Errorf("known to be untrue for %v, want 11s", got.UntrueFor)
	}
	if got := i.first(80 + 70); got.UntrueFor != 70*time.Second {
		t.Errorf("known to be untrue for %v, want 70s: it ends the episode", got.UntrueFor)
	}
	i.send(200, fires(190))
	i.want(201, replication.Pending)
	i.want(260, replication.Go)
}

// Between two evaluations the alert was resolved and fired anew: noticed, also
// when nobody said so.
func TestAlertFlaps(t *testing.T) {
	for name, between := range map[string][]alerts.Alert{
		"told":                   {resolved(0, 30), fires(31)},
		"in one delivery":        {fires(31), resolved(0, 30)},
		"told by nobody":         {fires(31)},
		"in another order, late": {fires(31), fires(0), resolved(0, 30)},
	} {
		t.Run(name, func(t *testing.T) {
			i := newInbox(t, alertRule(alertAlone))
			i.send(0, fires(0))
			i.want(1, replication.Pending)
			for _, a := range between {
				i.send(32, a)
			}
			i.want(61, replication.Pending)
			i.want(93, replication.Go)
		})
	}
}

// An alert that nobody repeats is no sample: neither true nor known to be false.
func TestAlertAges(t *testing.T) {
	i := newInbox(t, alertRule(alertAlone))
	i.send(0, fires(0))
	i.want(61, replication.Go)
	i.want(599.999, replication.Go)
	if got := i.want(600, none); got.UntrueFor != 0 || got.State != "" {
		t.Errorf("state %q, known to be untrue for %v", got.State, got.UntrueFor)
	}
	i.send(700, fires(0))
	i.want(701, replication.Pending)
	i.want(761, replication.Go)

	i = newInbox(t, alertRule(alertAlone, func(r *rulefile.Rule) { r.KeepFiringFor = time.Minute }))
	i.send(0, fires(0))
	i.want(61, replication.Go)
	i.want(630, replication.Pending) // bridged
	i.want(661, none)
}

// What was said of another group's alert is not known of this one's.
func TestAlertOfAnotherGroupTellsNothing(t *testing.T) {
	i := newInbox(t, alertRule(alertAlone))
	i.targets = append(i.targets, group("g2", "db-2", "az-a", "az-b", "az-a"))
	i.send(0, fires(0, "name", "db-1"), resolved(0, 1, "name", "db-2"))
	i.round(1)
	ev := i.round(10)
	one, two := ev.Rules[0].Targets[0], ev.Rules[0].Targets[1]
	if one.State != policy.StatePending || two.State != "" || two.UntrueFor != 10*time.Second {
		t.Errorf("db-1 %q, db-2 %q untrue for %v", one.State, two.State, two.UntrueFor)
	}
	i.round(605)
	ev = i.round(615)
	if one = ev.Rules[0].Targets[0]; one.State != "" || one.UntrueFor != 0 {
		t.Errorf("db-1, not repeated: %q, known to be untrue for %v", one.State, one.UntrueFor)
	}
}

// A thousand copies are one: the timer runs on, whoever sends them.
func TestAlertStorm(t *testing.T) {
	i := newInbox(t, alertRule(alertAlone))
	i.send(0, fires(0))
	i.want(1, replication.Pending)
	for n := range 5000 {
		i.send(1+float64(n)/100, fires(0))
	}
	i.want(59, replication.Pending)
	i.want(60, replication.Go)
}

// TestAlertOrder: whichever of the deliveries come, in whatever order and however
// often, the vote in the end is the same.
func TestAlertOrder(t *testing.T) {
	r := rand.New(rand.NewSource(26))
	for range 400 {
		var list []alerts.Alert
		for range 1 + r.Intn(6) {
			since := float64(r.Intn(8) * 10)
			if r.Intn(2) == 0 {
				list = append(list, fires(since))
			} else {
				list = append(list, resolved(since, since+float64(r.Intn(30))))
			}
		}
		var first replication.Verdict
		for try := range 6 {
			i := newInbox(t, alertRule(alertAlone, now))
			some := slices.Clone(list)
			for range try { // copies, each time more
				some = append(some, list[r.Intn(len(list))])
			}
			if try > 0 {
				r.Shuffle(len(some), func(a, b int) { some[a], some[b] = some[b], some[a] })
			}
			sec := 0.0
			for _, a := range some {
				sec += float64(r.Intn(3)) * 0.4 // some within one millisecond
				i.send(sec, a)
				if r.Intn(3) == 0 {
					i.round(sec)
				}
			}
			got := i.first(sec + 1).Vote.Verdict
			if try == 0 {
				first = got
			} else if got != first {
				t.Fatalf("vote %q, want %q\nfirst %v\nthen  %v", got, first, list, some)
			}
		}
	}
}

// TestAlertsReachRulesByAlertOnly: an expression over alerts would make one
// source look like what each observer judges by itself (invariant 26).
func TestAlertsReachRulesByAlertOnly(t *testing.T) {
	for _, text := range []string{
		`ALERTS{alertname="X"} == 1`, `{__name__="ALERTS"}`, `{alertname="X"} == 1`, `{__name__=~"A.*"} == 1`,
		`drwatch_site_reachable == 0 and on() {alertname=~".+"}`,
	} {
		for name, r := range map[string]rulefile.Rule{
			"expr":  exprRule(text),
			"veto":  siteRule(func(r *rulefile.Rule) { r.Veto = text }),
			"guard": siteRule(func(r *rulefile.Rule) { r.Guards.Expr = []string{text} }),
		} {
			if err := policy.Check(r); err == nil || !strings.Contains(err.Error(), "evidence of one source") {
				t.Errorf("%s %s: %v", name, text, err)
			}
		}
	}
	for text, want := range map[string]string{
		`{alertname="X"`: "alert", `up{alertname="X"}`: "names a metric", `WarehouseDown`: `{alertname="WarehouseDown"}`,
	} {
		if err := policy.Check(siteRule(func(r *rulefile.Rule) { r.Alert = text })); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := policy.Check(alertRule()); err != nil {
		t.Error(err)
	}
}

// TestHearsayIsNoEvidence: a rule on an alert alone, or the votes of all, must not
// become what another rule takes for its own evidence.
func TestHearsayIsNoEvidence(t *testing.T) {
	for _, text := range []string{
		`drwatch_rule_active{rule="by-alert", state="firing"} == 1`, `sum(drwatch_rule_votes{vote="go"}) > 0`,
		`{__name__=~"drwatch_.*", state="firing"} == 1`, `drwatch_site_reachable == 0 and on() drwatch_incidents_open > 0`,
	} {
		if err := policy.Check(exprRule(text)); err == nil || !strings.Contains(err.Error(), "no evidence of an observer's own") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := policy.Check(siteRule(func(r *rulefile.Rule) { r.Guards.Expr = []string{`drwatch_incidents_open < 5`} })); err != nil {
		t.Errorf("a guard may: %v", err)
	}
}

// The history covers what a rule with an alert looks back on.
func TestAlertNeedsHistory(t *testing.T) {
	r := alertRule(func(r *rulefile.Rule) { r.For = 30 * time.Minute })
	if got := policy.RequiredHistory([]rulefile.Rule{r}); got != alerts.MaxAge+30*time.Minute {
		t.Errorf("history of %v", got)
	}
}

func TestTriggerText(t *testing.T) {
	for want, r := range map[string]rulefile.Rule{
		`drwatch_site_reachable{site="az-a"} == 0`:                                       siteRule(),
		`drwatch_site_reachable{site="az-a"} == 0 and alert {alertname="WarehouseDown"}`: alertRule(),
		`alert {alertname="WarehouseDown"}`:                                              alertRule(alertAlone),
	} {
		if got := policy.TriggerText(r); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}
