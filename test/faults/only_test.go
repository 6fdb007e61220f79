package faults_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestARuleSendsFailoversOnly loses a site, has everything failed over, and
// brings the site back: of all that changes something a cloud is sent the
// failover alone. Nothing is made to replicate again, which would overwrite what
// the old production still has, and nothing is cleaned up, updated or deleted.
func TestARuleSendsFailoversOnly(t *testing.T) {
	t.Parallel()
	lanes := lanesOf("only", replication.Providers()...)
	c := newField(t, time.Second, lanes...)
	d := start(t, c, setting{})
	lose(t, c, "az-a", cloudsim.Loss{})
	d.failedOverOnce(c, lanes)
	if err := c.RestoreSite("az-a"); err != nil {
		t.Fatal(err)
	}
	d.polled(lanes, 4)

	failover := map[replication.Provider]string{
		replication.HuaweiSDRS: "StartFailoverProtectionGroup", replication.HuaweiEVS: "FailoverReplicationConsistencyGroup",
		replication.HuaweiDWS: "SwitchFailoverDisaster", replication.AliyunEBS: "FailoverDiskReplicaGroup",
	}
	isRead := regexp.MustCompile("^(List|Show|Describe)[A-Z]").MatchString
	for _, p := range replication.Providers() {
		if n := c.Calls(p, failover[p]); n != 1 {
			t.Errorf("%s was sent %d failovers, want 1", p, n)
		}
		for _, operation := range c.Operations(p) {
			if !isRead(operation) && operation != failover[p] {
				t.Errorf("%s was sent %s %d times", p, operation, c.Calls(p, operation))
			}
		}
	}
	for _, e := range c.Effects() {
		if e.Action != string(replication.Failover) {
			t.Errorf("an effect that is no failover's: %+v", e)
		}
	}
}

// polled waits until each account was polled so often from now on.
func (d *daemon) polled(lanes []*lane, times float64) {
	d.t.Helper()
	before := d.scrape()
	eventually(d.t, 60*time.Second, "every account was polled again", func() string {
		s := d.scrape()
		for _, l := range lanes {
			const polls = "drwatch_account_poll_duration_seconds"
			if s.sum(polls, "account="+l.name) < before.sum(polls, "account="+l.name)+times {
				return l.name
			}
		}
		return ""
	})
}
