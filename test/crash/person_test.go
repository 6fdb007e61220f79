package crash_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestKilledInAPersonsPlan kills the daemon at each step of each of the three
// calls that a planned switchover of disks consists of. The next daemon goes on
// from there: each call has its effect once. Only where nothing was sent at all
// is the plan over, for the person to ask again.
func TestKilledInAPersonsPlan(t *testing.T) {
	for _, at := range []string{
		"claimed", "intent 1", "sent 1", "outcome 1", "step_done 1", "first_byte 2", "sent 2", "verifying 2", "sent 3",
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			c, config := world(t)
			storage := t.TempDir()
			first := start(t, config, storage, at)
			first.eventually("ready and fit", 40*time.Second, first.fit)
			first.eventually("the switchover is asked for", 30*time.Second, func() bool { return switchover(first) })
			select {
			case err := <-first.done:
				if !killed(err) {
					t.Fatalf("the daemon ended by itself: %v\n%s", err, first.logs())
				}
			case <-time.After(60 * time.Second):
				t.Fatalf("%q was never reached\n%s", at, first.logs())
			}
			second := start(t, config, storage, "")
			var last replication.Incident
			second.eventually("the plan has an end", 90*time.Second, func() bool {
				incidents, err := get[[]replication.Incident](second, "incidents")
				if err != nil || len(incidents) != 1 {
					return false
				}
				last = incidents[0]
				return last.Phase.Ended()
			})
			var effects []string
			for _, e := range c.Effects() {
				if e.Kind == cloudsim.Called && e.Verdict == cloudsim.Accepted {
					effects = append(effects, e.Action)
				}
			}
			all := []string{"failover", "reprotect", "start"}
			switch {
			case at == "intent 1":
				if last.Phase != replication.Failed || len(effects) != 0 {
					t.Errorf("%s (%s), effects %v; want it over, and nothing done", last.Phase, last.Error, effects)
				}
			case last.Phase != replication.Succeeded || !slices.Equal(effects, all):
				t.Errorf("%s (%s), effects %v; want %v once each", last.Phase, last.Error, effects, all)
			}
			second.end()
			if err := <-second.done; err != nil {
				t.Errorf("the daemon did not end in order: %v\n%s", err, second.logs())
			}
		})
	}
}

// switchover asks for the switchover of the disks and tells whether it has begun,
// or has begun and taken the daemon with it.
func switchover(p *process) bool {
	body, err := json.Marshal(api.Ask{Group: "disks", Action: replication.Switchover, Reason: "planned", Who: "sre"})
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.Post(p.url+"/api/v1/actions", "application/json", bytes.NewReader(body))
	if err != nil {
		return true // it died before it could answer
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusConflict && resp.StatusCode != http.StatusUnprocessableEntity {
		p.t.Log(fmt.Sprint("POST actions: ", resp.Status))
	}
	return resp.StatusCode == http.StatusOK
}
