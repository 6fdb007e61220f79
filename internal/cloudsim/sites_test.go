package cloudsim_test

import (
	"context"
	"errors"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
)

func (l *lab) probe(site string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", l.cloud.HealthURL(site), nil)
	if err != nil {
		return 0, err
	}
	r, err := l.roundTrip(req)
	return r.status, err
}

func TestLoseAndRestore(t *testing.T) {
	for _, hang := range []bool{false, true} {
		l := newLab(t, nil)
		url := l.cloud.HealthURL("az-a")
		if status, err := l.probe("az-a"); status != 200 || err != nil {
			t.Fatalf("probe of a site that is up: %d %v", status, err)
		}
		if err := l.cloud.LoseSite("az-a", cloudsim.Loss{Hang: hang, API: true}); err != nil {
			t.Fatal(err)
		}
		want := error(syscall.ECONNREFUSED)
		if hang {
			want = context.DeadlineExceeded
		}
		if _, err := l.probe("az-a"); !errors.Is(err, want) {
			t.Errorf("probe of the lost site: %v, want %v", err, want)
		}
		if status, err := l.probe("az-b"); status != 200 || err != nil {
			t.Errorf("probe of the other site: %d %v", status, err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		if _, err := l.roundTrip(l.rpc(primaryEBS, "DescribeDiskReplicaGroups").WithContext(ctx)); !errors.Is(err, want) {
			t.Errorf("API of the lost site: %v, want %v", err, want)
		}
		cancel()
		l.want(l.ali(standbyEBS, "DescribeDiskReplicaGroups", "Site", "backup"), 200, "RequestId")
		l.want(l.get(cloudsim.EndpointSDRS, sdrsGroups), 200, "server_groups")
		if err := l.cloud.RestoreSite("az-a"); err != nil {
			t.Fatal(err)
		}
		if status, err := l.probe("az-a"); status != 200 || err != nil || l.cloud.HealthURL("az-a") != url {
			t.Errorf("probe after the return: %d %v at %s, was %s", status, err, l.cloud.HealthURL("az-a"), url)
		}
		l.want(l.ali(primaryEBS, "DescribeDiskReplicaGroups"), 200, "RequestId")
	}
	l := newLab(t, nil)
	if l.cloud.LoseSite("moon", cloudsim.Loss{}) == nil || l.cloud.RestoreSite("moon") == nil {
		t.Error("an unknown site was taken")
	}
}

// Without a site, what was replicated from or to it falls behind; what the
// clouds say of it changes; with the site it catches up.
func TestLossStopsReplication(t *testing.T) {
	l := newLab(t, nil)
	from := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Pairs: 1, RPO: time.Minute}))
	sdrs := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northA, Target: northB, Pairs: 1}))
	towards := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northB, Target: northA, Pairs: 1}))
	evs := must(t)(l.cloud.AddEVS(cloudsim.EVSGroup{Source: parisA, Target: parisB, Pairs: 1}))
	dws := must(t)(l.cloud.AddDWS(cloudsim.DWSGroup{Source: northA, Target: northB}))
	far := must(t)(l.cloud.AddDWS(cloudsim.DWSGroup{Source: northB, Target: eastA}))
	level := func(id string) any {
		return l.get(cloudsim.EndpointSDRS, "/v1/{p}/replications?server_group_id="+id).list(t, "replications")[0]["fault_level"]
	}
	if level(sdrs) != "0" || level(towards) != "0" {
		t.Fatal("fault level of a healthy pair")
	}
	if err := l.cloud.LoseSite("az-a", cloudsim.Loss{}); err != nil {
		t.Fatal(err)
	}
	l.clock.move(10 * time.Minute)
	if lag := l.clock.now().Sub(l.truth(from).LastSync); lag != 10*time.Minute {
		t.Errorf("lag %s after the loss", lag)
	}
	if level(sdrs) != "2" || level(towards) != "5" {
		t.Errorf("fault levels %v and %v, want 2 and 5", level(sdrs), level(towards))
	}
	if g := l.evsGroup(evs); g["fault_level"] != "2" {
		t.Errorf("EVS group %v", g)
	}
	if g := l.dwsItem(cloudsim.EndpointDWS, dws); g["status"] != "abnormal" || g["primary_cluster_status"] != "abnormal" || g["standby_cluster_status"] != "waiting" {
		t.Errorf("DWS group %v", g)
	}
	if g := l.dwsItem(cloudsim.EndpointDWS, far); g["status"] != "running" {
		t.Errorf("DWS group elsewhere %v", g)
	}
	l.want(l.sdrsAct(sdrs, failoverSDRS), 200, "job_id")
	l.want(l.sdrsAct(towards, failoverSDRS), 400, "SDRS.1018")
	l.clock.move(time.Minute)
	if err := l.cloud.RestoreSite("az-a"); err != nil {
		t.Fatal(err)
	}
	if lag := l.clock.now().Sub(l.truth(from).LastSync); lag != 11*time.Minute {
		t.Errorf("lag %s just after the return, catching up takes a period", lag)
	}
	l.clock.move(time.Minute)
	if lag := l.clock.now().Sub(l.truth(from).LastSync); lag != 0 {
		t.Errorf("lag %s a period after the return", lag)
	}
	l.wantStatus(sdrs, "failed-over", northB)
	l.wantStatus(dws, "running", northA)
	if level(towards) != "0" {
		t.Errorf("fault level %v after the return", level(towards))
	}
}

// A failover of DWS ends in abnormal; the return of the lost site does not make
// that running.
func TestReturnDoesNotUndoAFailover(t *testing.T) {
	l := newLab(t, nil)
	id := must(t)(l.cloud.AddDWS(cloudsim.DWSGroup{Source: northA, Target: northB}))
	if err := l.cloud.LoseSite("az-a", cloudsim.Loss{}); err != nil {
		t.Fatal(err)
	}
	l.want(l.dwsAct(cloudsim.EndpointDWS, id, "failover"), 200, id)
	l.clock.move(time.Minute)
	if err := l.cloud.RestoreSite("az-a"); err != nil {
		t.Fatal(err)
	}
	l.wantStatus(id, "abnormal", northB)
}

func TestLoseEndpoint(t *testing.T) {
	l := newLab(t, nil)
	if err := l.cloud.LoseEndpoint(cloudsim.EndpointDWS); err != nil {
		t.Fatal(err)
	}
	if _, err := l.roundTrip(l.huawei(cloudsim.EndpointDWS, "GET", "/v2/{p}/disaster-recoveries", "")); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("error %v, want a refused connection", err)
	}
	if err := l.cloud.RestoreEndpoint(cloudsim.EndpointDWS); err != nil {
		t.Fatal(err)
	}
	l.want(l.get(cloudsim.EndpointDWS, "/v2/{p}/disaster-recoveries"), 200, `{"disaster_recovery":[]}`)
}

// What cannot work without the lost site ends in the provider's error state.
func TestOperationsThatNeedALostSiteFail(t *testing.T) {
	l := newLab(t, nil)
	over := must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: northA, Target: northB, AtTarget: true, Status: "failed-over", Pairs: 1}))
	dws := must(t)(l.cloud.AddDWS(cloudsim.DWSGroup{Source: northB, Target: northA}))
	ebs := must(t)(l.cloud.AddEBS(cloudsim.EBSGroup{Source: beijing, Target: shanghai, Pairs: 1}))
	evs := must(t)(l.cloud.AddEVS(cloudsim.EVSGroup{Source: parisA, Target: parisB, Pairs: 1}))
	if err := l.cloud.LoseSite("az-a", cloudsim.Loss{}); err != nil {
		t.Fatal(err)
	}
	l.want(l.sdrsAct(over, `{"start-server-group":{}}`), 200, "job_id")
	l.want(l.dwsAct(cloudsim.EndpointDWS, dws, "failover"), 200, dws)
	l.want(l.evsAct(evs, "reverse"), 200, "")
	l.want(l.ali(standbyEBS, "FailoverDiskReplicaGroup", "ReplicaGroupId", ebs), 200, "RequestId")
	l.clock.move(time.Minute)
	l.wantStatus(over, "error-reprotecting", northB)
	l.wantStatus(dws, "abnormal", northB)
	l.wantStatus(evs, "error_reversing", parisA)
	l.wantStatus(ebs, "failovered", shanghai)
	for id, n := range map[string]int{over: 0, dws: 0, evs: 0, ebs: 1} {
		l.wantFailovers(id, n)
	}
}
