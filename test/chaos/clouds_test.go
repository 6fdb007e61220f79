package chaos_test

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// siteLost: the site is lost, and all observers live on.
func siteLost(w *world) {
	w.lose(cloudsim.Loss{})
	w.once(120 * time.Second)
}

// listTwice adds a second account to the ones of EBS, with the same groups.
func listTwice(_ string, root doc) {
	for _, a := range root["accounts"].([]any) {
		if account := a.(doc); account["provider"] == string(replication.AliyunEBS) {
			again := doc{}
			maps.Copy(again, account)
			again["name"], again["action_credentials"] = "ebs-again", "none"
			root["accounts"] = append(root["accounts"].([]any), again)
			return
		}
	}
}

// unknownDWS: the call is swallowed and never answered.
func unknownDWS(w *world) {
	w.fault(cloudsim.Fault{Operation: "failover", Answer: cloudsim.Hang, Applied: "dropped"})
	w.lose(cloudsim.Loss{})
	w.eventually("the incident is ambiguous", 60*time.Second, func() bool {
		return w.newest()[w.ids[0]].Phase == replication.Ambiguous
	})
	w.cloud.ClearFaults()
	<-time.After(hold + settle)
	if n := len(w.calls("")); n != 1 {
		w.Errorf("%d calls, want one for ever: %+v", n, w.calls(""))
	}
	w.count(0)
	w.tell("told: %s", w.newest()[w.ids[0]].Error)
}

func (w *world) fault(f cloudsim.Fault) {
	w.Helper()
	if _, err := w.cloud.AddFault(f); err != nil {
		w.Fatal(err)
	}
}

// noEgress: the leader can reach no cloud any more; the others can.
func noEgress(w *world) {
	old := w.leader()
	w.lose(cloudsim.Loss{})
	for _, url := range w.endpoints() {
		old.links.cut(url)
	}
	w.once(150 * time.Second)
	if now := w.leader(); now == old {
		w.Errorf("%s still leads", now.name)
	}
}

// endpointLost: what tells of the group goes down with the site.
func endpointLost(w *world) {
	w.lose(cloudsim.Loss{API: true})
	w.once(150 * time.Second)
}

func actsAndCuts(w *world) {
	w.fault(cloudsim.Fault{Operation: "failover", Answer: cloudsim.Cut})
	w.lose(cloudsim.Loss{})
	w.once(120 * time.Second)
	w.oneCallEach()
}

func actsLate(w *world) {
	w.fault(cloudsim.Fault{Operation: "failover", Answer: cloudsim.Cut, Late: 20 * time.Second})
	w.lose(cloudsim.Loss{})
	w.once(150 * time.Second)
	w.oneCallEach()
}

func (w *world) oneCallEach() {
	w.Helper()
	for _, id := range w.ids {
		if n := len(w.calls(id)); n != 1 {
			w.Errorf("%s: %d calls, want 1", id, n)
		}
	}
}

// fifty groups, and a rule that allows five failovers at a time.
func fifty(w *world) { w.sdrs(50) }

func fiveAtATime(_, text string) string {
	return strings.Replace(text, "max_concurrent: 8", "max_concurrent: 5", 1)
}

// fiftyGroups: the leader is killed in the middle and comes back.
func fiftyGroups(w *world) {
	most, stop := 0, make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			busy := 0
			for _, i := range w.incidents() {
				if i.Phase == replication.Executing || i.Phase == replication.Verifying {
					busy++
				}
			}
			most = max(most, busy)
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	w.lose(cloudsim.Loss{})
	w.eventually("ten are moved", 60*time.Second, func() bool { return w.changed() >= 10 })
	old := w.leader()
	old.kill()
	old.start()
	w.once(300 * time.Second)
	close(stop)
	watching.Wait()
	if n := w.atOnce(); n > 5 || most > 5 {
		w.Errorf("the clouds saw %d failovers at a time, the observers %d, want at most 5", n, most)
	}
	w.tell("at most %d failovers at a time as the clouds saw it, %d as the observers did", w.atOnce(), most)
}

// changed counts the groups that have moved.
func (w *world) changed() int {
	n := 0
	for _, e := range w.cloud.Effects() {
		if e.Kind == cloudsim.Changed {
			n++
		}
	}
	return n
}

// atOnce is how many failovers were under way at the clouds at the same time.
func (w *world) atOnce() int {
	busy, most := map[string]bool{}, 0
	for _, e := range w.cloud.Effects() {
		busy[e.Group] = e.Kind == cloudsim.Called
		n := 0
		for _, b := range busy {
			if b {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// byAlert lets the rule wait for an alert as well.
func byAlert(_, text string) string {
	return strings.Replace(text, "    for: 2s\n", "    alert: '{alertname=\"SiteLost\"}'\n    for: 2s\n", 1)
}

// manyAlerts: three Alertmanagers tell all observers of the same alert.
func manyAlerts(w *world) {
	w.lose(cloudsim.Loss{})
	began := time.Now()
	var senders sync.WaitGroup
	for s := range 3 {
		senders.Go(func() {
			for n := range 334 {
				body := fmt.Sprintf(`{"version":"4","externalURL":"http://alertmanager-%d","alerts":[{"status":"firing","labels":{"alertname":"SiteLost"},"startsAt":%q}]}`, s, began.Format(time.RFC3339Nano))
				if err := w.observers[w.names[n%3]].post("alerts", body); err != nil {
					w.Error(err)
					return
				}
			}
		})
	}
	senders.Wait()
	w.once(120 * time.Second)
	w.oneCallEach()
}
