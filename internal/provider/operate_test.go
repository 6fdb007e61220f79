package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

func TestSDRSStepByStep(t *testing.T) {
	s := openSDRS(t, cloudsim.SDRSGroup{})
	a, b := s.read().Source, s.read().Target
	s.perform(replication.Switchover, "")
	s.truth("protected", b, true)
	s.perform(replication.Switchover, "")
	s.truth("protected", a, true)

	s.perform(replication.Stop, "")
	s.truth("available", a, false)
	s.refused(replication.Reprotect, "", "status_allows_reprotect")
	s.refused(replication.Switchover, "", "status_allows_switchover")
	s.perform(replication.Start, "")
	s.truth("protected", a, true)

	s.perform(replication.Failover, "")
	s.truth("failed-over", b, false)
	s.refused(replication.Start, "", "status_allows_start")
	s.perform(replication.Reprotect, "")
	s.truth("protected", b, true)
	s.perform(replication.Switchover, "")
	s.truth("protected", a, true)
}

func TestSDRSServersMustBeStopped(t *testing.T) {
	s := openSDRS(t, cloudsim.SDRSGroup{ServersRunning: true})
	r := s.operator.Operate(t.Context(), replication.Switchover, s.request(replication.Switchover, s.ask(replication.Switchover, "")))
	if r.Outcome != replication.Rejected || !strings.Contains(r.Err.Error(), "SDRS.1319") {
		t.Errorf("%+v", r)
	}
	s.truth("protected", s.read().Source, true)
}

func TestSDRSFailuresAreSeen(t *testing.T) {
	for action, status := range map[replication.Action]string{
		replication.Failover: "error-failing-over", replication.Switchover: "error-reversing", replication.Reprotect: "error-reprotecting",
		replication.Start: "error-starting", replication.Stop: "error-stopping",
	} {
		s := openSDRS(t, cloudsim.SDRSGroup{Status: status})
		if step := s.steps(action, s.ask(action, ""))[0]; step.Failed == "" || step.Done || len(failing(step.Ready)) != 0 {
			t.Errorf("%s in %s: %+v", action, status, step)
		}
	}
}

func TestSDRSDrills(t *testing.T) {
	s := openSDRS(t, cloudsim.SDRSGroup{Drills: 1})
	other := openSDRSBeside(s)
	inc := s.perform(replication.StartDrill, "")
	drills := s.read().DrillList
	i := slices.IndexFunc(drills, func(d replication.Drill) bool { return d.Name == provider.DrillName(inc.ID) })
	if len(drills) != 2 || i < 0 {
		t.Fatalf("drills %+v", drills)
	}
	s.refused(replication.ClearDrill, other, "drill_of_group")
	s.refused(replication.ClearDrill, "", "drill_of_group")
	if r := s.operator.Operate(t.Context(), replication.ClearDrill, s.request(replication.ClearDrill, s.ask(replication.ClearDrill, other))); r.Outcome != replication.NotSent {
		t.Errorf("clearing another group's drill: %+v", r)
	}
	s.perform(replication.ClearDrill, drills[i].ID)
	if left := s.read().DrillList; len(left) != 1 || left[0].ID == drills[i].ID {
		t.Errorf("left are %+v", left)
	}
	s.truth("protected", s.read().Source, true)
}

func TestSDRSDrillThatFailsIsSeen(t *testing.T) {
	s := openSDRS(t, cloudsim.SDRSGroup{})
	inc := s.ask(replication.StartDrill, "")
	must[string](t)(s.cloud.AddFault(cloudsim.Fault{Operation: "CreateDisasterRecoveryDrill", Fate: cloudsim.Fails}))
	if r := s.operator.Operate(t.Context(), replication.StartDrill, s.request(replication.StartDrill, inc)); r.Outcome != replication.Accepted {
		t.Fatalf("%+v", r)
	}
	s.move(2 * takes)
	if step := s.steps(replication.StartDrill, inc)[0]; step.Done || !strings.Contains(step.Failed, "billed until it is cleared") {
		t.Errorf("%+v", step)
	}
	s.perform(replication.ClearDrill, s.read().DrillList[0].ID) // what failed is cleared like any other
}

// openSDRSBeside adds a second group with a drill, and gives the drill's id.
func openSDRSBeside(s *stage) string {
	g := s.read()
	id := must[string](s.T)(s.cloud.AddSDRS(cloudsim.SDRSGroup{Source: g.Source, Target: g.Target, Pairs: 1, Drills: 1}))
	return must[[]replication.Drill](s.T)(s.reader.(provider.DrillReader).Drills(s.Context(), id))[0].ID
}

func TestEVSStepByStep(t *testing.T) {
	s := openEVS(t, cloudsim.EVSGroup{})
	a, b := s.read().Source, s.read().Target
	s.perform(replication.Switchover, "")
	s.truth("available", b, true)
	s.perform(replication.Switchover, "")
	s.truth("available", a, true)

	s.perform(replication.Stop, "")
	s.truth("available", a, false)
	s.refused(replication.Switchover, "", "replication_status")
	s.perform(replication.Start, "")
	s.move(takes)
	s.truth("available", a, true)

	s.perform(replication.Failover, "")
	s.truth("failovered", b, false)
	s.refused(replication.Start, "", "status_allows_start")
	s.perform(replication.Reprotect, "")
	s.move(takes)
	s.truth("available", b, true)
	s.none(replication.StartDrill, "no drills")
	s.none(replication.ClearDrill, "no drills")
}

func TestDWSStepByStep(t *testing.T) {
	s := openDWS(t, cloudsim.DWSGroup{})
	a, b := s.read().Source, s.read().Target
	s.perform(replication.Switchover, "")
	s.truth("running", b, true)
	s.perform(replication.Switchover, "")
	s.truth("running", a, true)

	s.perform(replication.Stop, "")
	s.truth("stopped", a, false)
	s.refused(replication.Switchover, "", "status_allows_switchover")
	s.perform(replication.Start, "")
	s.truth("running", a, true)

	s.none(replication.Reprotect, "recovery")
	s.none(replication.StartDrill, "no drills")
	s.perform(replication.Failover, "")
	s.truth("abnormal", b, false)
	s.refused(replication.Failover, "", "failed over already")
	s.refused(replication.Start, "", "not_failed_over")
	s.refused(replication.Switchover, "", "status_allows_switchover")
}

func TestDWSSwitchoverWantsBothClusters(t *testing.T) {
	s := openDWS(t, cloudsim.DWSGroup{})
	if err := s.cloud.LoseSite("az-a", cloudsim.Loss{}); err != nil {
		t.Fatal(err)
	}
	s.refused(replication.Switchover, "", "clusters_healthy")
}

func TestEBSStepByStep(t *testing.T) {
	s := openEBS(t, cloudsim.EBSGroup{})
	a, b := s.read().Source, s.read().Target
	s.perform(replication.Switchover, "")
	s.move(takes)
	s.truth("normal", b, true)
	s.perform(replication.Switchover, "")
	s.move(takes)
	s.truth("normal", a, true)

	s.perform(replication.Stop, "")
	s.truth("stopped", a, false)
	s.refused(replication.Switchover, "", "status_allows_failover")
	s.perform(replication.Start, "")
	s.move(takes)
	s.truth("normal", a, true)

	s.perform(replication.Failover, "")
	s.truth("failovered", b, false)
	s.refused(replication.Failover, "", "status_allows_failover")
	s.refused(replication.Start, "", "status_allows_start")
	s.perform(replication.Reprotect, "")
	s.move(takes)
	s.truth("normal", b, true)

	s.perform(replication.Stop, "")
	s.truth("stopped", b, false)
	s.perform(replication.Start, "")
	s.move(takes)
	s.perform(replication.Failover, "") // a person's, of a reversed group
	s.truth("failovered", a, false)
}

func TestEBSDisksMustBeDetached(t *testing.T) {
	s := openEBS(t, cloudsim.EBSGroup{Status: "failovered", AtTarget: true, Attached: true})
	r := s.operator.Operate(t.Context(), replication.Reprotect, s.request(replication.Reprotect, s.ask(replication.Reprotect, "")))
	if r.Outcome != replication.Rejected {
		t.Errorf("%+v", r)
	}
	if err := s.cloud.SetAttached(s.key.ID, false); err != nil {
		t.Fatal(err)
	}
	s.perform(replication.Reprotect, "")
	s.move(takes)
	s.truth("normal", s.read().Target, true)
}

func TestEBSSwitchoverWaitsForTheRecoverPoint(t *testing.T) {
	s := openEBS(t, cloudsim.EBSGroup{})
	s.move(3 * time.Second)
	inc := s.ask(replication.Switchover, "")
	step := s.steps(replication.Switchover, inc)[0]
	if len(failing(step.Ready)) != 0 || len(failing(step.Waits)) != 1 {
		t.Fatalf("ready %v, waits %v", step.Ready, step.Waits)
	}
	s.move(12 * time.Second)
	if step = s.steps(replication.Switchover, inc)[0]; len(failing(step.Ready)) != 0 || len(failing(step.Waits)) != 0 {
		t.Errorf("after a replication: ready %v, waits %v", step.Ready, step.Waits)
	}
	if !s.read().LastSync.After(inc.Plan.AskedAt) {
		t.Errorf("the recover point %s is not after %s", s.read().LastSync, inc.Plan.AskedAt)
	}
}

func TestEBSDrills(t *testing.T) {
	for _, reversed := range []bool{false, true} {
		t.Run(fmt.Sprint("reversed ", reversed), func(t *testing.T) {
			s := openEBS(t, cloudsim.EBSGroup{AtTarget: reversed})
			first := s.perform(replication.StartDrill, "")
			second := s.perform(replication.StartDrill, "")
			drills := s.read().DrillList
			if len(drills) != 2 || drills[0].ID != first.Calls[0].JobID || drills[1].ID != second.Calls[0].JobID {
				t.Fatalf("drills %+v, calls %+v and %+v", drills, first.Calls, second.Calls)
			}
			s.refused(replication.ClearDrill, "pg-drill-other", "drill_of_group")
			s.perform(replication.ClearDrill, drills[0].ID)
			if made, billed := s.cloud.DrillDisks(s.key.ID); made != 4 || billed != 2 {
				t.Errorf("%d disks were made and %d are billed", made, billed)
			}
			if left := s.read().DrillList; len(left) != 1 || left[0].ID != drills[1].ID {
				t.Errorf("left are %+v", left)
			}
		})
	}
}

// Any other drill that somebody starts meanwhile is not the one asked for.
func TestEBSDrillIsTheOneThatWasAnswered(t *testing.T) {
	s := openEBS(t, cloudsim.EBSGroup{})
	inc := s.ask(replication.StartDrill, "")
	s.perform(replication.StartDrill, "")
	inc.Calls = []replication.Call{{Operation: string(replication.StartDrill), JobID: "pg-drill-mine"}}
	if step := s.steps(replication.StartDrill, inc)[0]; step.Done {
		t.Error("another drill passes for ours")
	}
	inc.Calls[0].JobID = "" // the answer was lost: any new drill may be it
	if step := s.steps(replication.StartDrill, inc)[0]; !step.Done {
		t.Error("the drill is not found without an answer")
	}
}
