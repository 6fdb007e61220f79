package faults_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// alertRules is one rule for each lane on an alert named after it; with site also
// on the loss of az-a.
func alertRules(mode string, site bool, lanes ...*lane) string {
	out := "groups:\n- name: by-alert\n  interval: 500ms\n  rules:\n"
	for _, l := range lanes {
		out += fmt.Sprintf("  - {failover: %s, targets: '{name=\"%s\", active_site=\"az-a\"}', alert: '{alertname=\"Down\", lane=\"%s\"}', for: 2s, mode: %s,\n", l.name, l.name, l.name, mode)
		out += "     quorum: {agree: 1, of: 1}, fence: {accept_split_brain: simulated}, guards: {lag_under: 5m, lag_unknown: allow}"
		if site {
			out += ", site_unreachable: az-a"
		}
		out += "}\n"
	}
	return out
}

// notification is what one Alertmanager sends of a lane's alert.
func notification(sender, lane string, began time.Time, ended *time.Time) string {
	a := api.Alert{Status: api.AlertFiring, Labels: map[string]string{"alertname": "Down", "lane": lane, "severity": "critical"}, StartsAt: began}
	if ended != nil {
		a.Status, a.EndsAt = api.AlertResolved, *ended
	}
	b, err := json.Marshal(api.Notification{Version: "4", ExternalURL: "http://" + sender, Alerts: []api.Alert{a}})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func (d *daemon) alert(sender string, l *lane, began time.Time, ended *time.Time) {
	d.t.Helper()
	d.mustPost("/api/v1/alerts", notification(sender, l.name, began, ended))
}

// TestThousandWebhooksOneFailover: three Alertmanagers send a thousand copies
// while the site is lost and while it is failed over, then say that it is
// resolved, and replay. Each group is failed over once; one whose alert is not
// sent is left alone, and so is one whose site is up.
func TestThousandWebhooksOneFailover(t *testing.T) {
	t.Parallel()
	lanes := lanesOf("alerts", replication.Providers()...)
	quiet, over := newLane(replication.HuaweiSDRS, "quiet"), newLane(replication.HuaweiSDRS, "over")
	all := append([]*lane{quiet, over}, lanes...)
	c := newField(t, 3*time.Second, all...)
	d := start(t, c, setting{rules: alertRules("auto", true, all...)})
	began := time.Now().Add(-time.Hour) // by the clock of a Prometheus that is wrong
	ended := began.Add(time.Minute)
	senders := []string{"am-1", "am-2", "am-3"}
	storm := func(copies int) {
		var wg sync.WaitGroup
		for _, sender := range senders {
			wg.Go(func() {
				for i := range copies {
					body := notification(sender, lanes[i%len(lanes)].name, began, nil)
					if code, answer := d.post("/api/v1/alerts", body); code != 200 {
						t.Errorf("delivery %d of %s: %d %s", i, sender, code, answer)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	storm(len(lanes))
	d.alert("am-1", over, began, nil)
	d.alert("am-2", over, began, &ended)
	d.alert("am-3", over, began, nil) // came late
	d.polled(all, 4)
	if n := len(d.incidents()); n != 0 {
		t.Fatalf("%d incidents of alerts alone, with the site up", n)
	}

	lose(t, c, "az-a", cloudsim.Loss{})
	storm(336)
	eventually(t, 60*time.Second, "each failover is under way", func() string {
		for _, l := range lanes {
			if calls(c, l.id) == 0 {
				return l.name + ": no call yet"
			}
		}
		return ""
	})
	for _, l := range lanes {
		d.alert("am-2", l, began, &ended)
	}
	storm(8) // replayed
	d.failedOverOnce(c, lanes)
	storm(8)
	d.polled(all, 4)
	for _, l := range lanes {
		if n, list := calls(c, l.id), d.incidents()[l.id]; n != 1 || len(list) != 1 || list[0].Phase != replication.Succeeded {
			t.Errorf("%s: %d calls, %s", l.name, n, show(list))
		}
		if text := d.incidents()[l.id][0].Trigger.Expr; !strings.Contains(text, "and alert {alertname=") {
			t.Errorf("%s: the incident says it waited for %q", l.name, text)
		}
	}
	for l, why := range map[*lane]string{quiet: "none has been sent to this observer", over: "0 firing, 1 resolved, 0 not repeated"} {
		if text := d.get("/api/v1/explain?group=" + l.id); !strings.Contains(text, why) {
			t.Errorf("%s: nobody is told that %s: %s", l.name, why, text)
		}
		if n := calls(c, l.id); n != 0 || len(d.incidents()[l.id]) != 0 {
			t.Errorf("%s: %d calls, %s", l.name, n, show(d.incidents()[l.id]))
		}
	}
}

// TestAlertAloneAsksAPerson: in mode approve an alert is enough to ask. Resolved
// before the answer, nothing is done; resolved after it, what has begun is
// finished.
func TestAlertAloneAsksAPerson(t *testing.T) {
	t.Parallel()
	over, goes := newLane(replication.HuaweiEVS, "over"), newLane(replication.HuaweiEVS, "goes")
	c := newField(t, 4*time.Second, over, goes)
	d := start(t, c, setting{rules: alertRules("approve", false, over, goes)})
	began, ended := time.Now(), time.Now().Add(time.Minute)
	for _, l := range []*lane{over, goes} {
		d.alert("am-1", l, began, nil)
	}
	asked := map[*lane]string{}
	eventually(t, 30*time.Second, "a person is asked", func() string {
		for _, l := range []*lane{over, goes} {
			list := d.incidents()[l.id]
			if len(list) != 1 || list[0].HeldBy != "approval" {
				return l.name + ": " + show(list)
			}
			asked[l] = list[0].ID
		}
		return ""
	})
	if n := len(c.Effects()); n != 0 {
		t.Fatalf("%d effects before anybody approved", n)
	}
	d.alert("am-2", over, began, &ended)
	eventually(t, 30*time.Second, "what is resolved has ended", func() string {
		list := d.incidents()[over.id]
		return unless(len(list) == 1 && list[0].Phase == replication.Aborted && list[0].ID == asked[over], show(list))
	})
	d.mustPost("/api/v1/incidents/"+asked[goes]+"/approve", `{"reason":"it is real","who":"sre"}`)
	eventually(t, 30*time.Second, "the call has been made", func() string { return unless(calls(c, goes.id) == 1, "no call yet") })
	d.alert("am-2", goes, began, &ended)
	d.failedOverOnce(c, []*lane{goes})
	if n := calls(c, over.id); n != 0 || len(d.incidents()[over.id]) != 1 {
		t.Errorf("%s: resolved before the answer, and yet %d calls, %s", over.name, n, show(d.incidents()[over.id]))
	}
}

// TestAlertsOverARestart: an observer that begins anew knows of no alert. A claim
// that waits is held, not given up, and goes on when the alert is sent again.
func TestAlertsOverARestart(t *testing.T) {
	t.Parallel()
	l := newLane(replication.HuaweiSDRS, "restarted")
	c := newField(t, time.Second, l)
	h := newHome(t, c, setting{rules: alertRules("approve", false, l)})
	d := h.run(t, nil)
	d.fit()
	began := time.Now()
	d.alert("am-1", l, began, nil)
	id := ""
	waits := func(by string) {
		t.Helper()
		eventually(t, 60*time.Second, "the incident is held by "+by, func() string {
			list := d.incidents()[l.id]
			if len(list) != 1 || list[0].HeldBy != by || id != "" && list[0].ID != id {
				return show(list)
			}
			id = list[0].ID
			return ""
		})
	}
	waits("approval")
	if err := d.kill(); err != nil {
		t.Fatal(err)
	}
	d = h.run(t, nil)
	d.fit()
	waits("quorum")
	d.alert("am-1", l, began, nil)
	waits("approval")
	d.mustPost("/api/v1/incidents/"+id+"/approve", `{"reason":"it is real","who":"sre"}`)
	d.failedOverOnce(c, []*lane{l})
}
