package cloudsim_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

func demoLab(t *testing.T, change func(*cloudsim.Options)) *lab {
	t.Helper()
	l := newLab(t, change)
	if err := cloudsim.DemoFleet(l.cloud, cloudsim.FleetOptions{SyncEvery: 10 * time.Second}); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestDemoFleet(t *testing.T) {
	l := demoLab(t, nil)
	groups := l.cloud.Groups()
	if diff := cmp.Diff(groups, demoLab(t, nil).cloud.Groups()); diff != "" {
		t.Errorf("the same seed gave another fleet:\n%s", diff)
	}
	count := map[string]int{}
	for _, g := range groups {
		count[string(g.Provider)]++
		count[g.ActiveSite]++
		if !g.Replicating {
			t.Errorf("%s does not replicate", g.Name)
		}
	}
	want := map[string]int{"huawei_sdrs": 9, "huawei_evs": 4, "huawei_dws": 4, "aliyun_ebs": 4, "az-a": 16, "az-b": 5}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("fleet:\n%s", diff)
	}
	other := demoLab(t, func(o *cloudsim.Options) { o.Seed = 8 })
	if cmp.Equal(groups[0].ID, other.cloud.Groups()[0].ID) {
		t.Error("another seed gave the same ids")
	}
}

// When az-a is lost, every group whose production is there can be failed over
// through the endpoint that stays, once, and lands in az-b.
func TestDemoFleetFailsOver(t *testing.T) {
	l := demoLab(t, nil)
	if err := l.cloud.LoseSite("az-a", cloudsim.Loss{API: true}); err != nil {
		t.Fatal(err)
	}
	for _, g := range l.cloud.Groups() {
		if g.ActiveSite != "az-a" {
			continue
		}
		switch g.Provider {
		case replication.HuaweiSDRS:
			l.want(l.sdrsAct(g.ID, failoverSDRS), 200, "job_id")
		case replication.HuaweiEVS:
			l.want(l.evsAct(g.ID, "failover"), 200, "")
		case replication.HuaweiDWS:
			endpoint := cloudsim.EndpointDWS
			if g.Target.Region == "cn-east-3" {
				endpoint = cloudsim.EndpointDWSStandby
			}
			l.want(l.dwsAct(endpoint, g.ID, "failover"), 200, g.ID)
		case replication.AliyunEBS:
			l.want(l.ali(standbyEBS, "FailoverDiskReplicaGroup", "ReplicaGroupId", g.ID), 200, "RequestId")
		}
	}
	l.clock.move(time.Minute)
	moved := 0
	for _, g := range l.cloud.Groups() {
		moved += g.Failovers
		if g.ActiveSite != "az-b" {
			t.Errorf("%s is still in %s", g.Name, g.ActiveSite)
		}
	}
	if moved != 16 {
		t.Errorf("%d failovers, want 16", moved)
	}
}

func TestSeedsAreChecked(t *testing.T) {
	l := newLab(t, nil)
	must(t)(l.cloud.AddSDRS(cloudsim.SDRSGroup{ID: "one", Source: northA, Target: northB}))
	for name, add := range map[string]func() (string, error){
		"the same id": func() (string, error) {
			return l.cloud.AddEVS(cloudsim.EVSGroup{ID: "one", Source: parisA, Target: parisB})
		},
		"one place":     func() (string, error) { return l.cloud.AddDWS(cloudsim.DWSGroup{Source: northA, Target: northA}) },
		"nobody's land": func() (string, error) { return l.cloud.AddSDRS(cloudsim.SDRSGroup{Source: parisA, Target: parisB}) },
	} {
		if id, err := add(); err == nil {
			t.Errorf("%s: taken as %s", name, id)
		}
	}
	if l.cloud.SetStatus("none", "protected") == nil || l.cloud.SetFaultLevel("none", "5") == nil || l.cloud.SetServers("none", true, true) == nil {
		t.Error("an unknown group was changed")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	now := func() time.Time { return start }
	for name, o := range map[string]cloudsim.Options{
		"no clock":      {},
		"same name":     {Now: now, Endpoints: []cloudsim.Endpoint{{Name: "a", Provider: replication.HuaweiEVS}, {Name: "a", Provider: replication.HuaweiEVS}}},
		"no such cloud": {Now: now, Endpoints: []cloudsim.Endpoint{{Name: "a", Provider: "other"}}},
	} {
		if _, err := cloudsim.New(o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	c, err := cloudsim.New(cloudsim.Options{Now: now, Endpoints: []cloudsim.Endpoint{{Name: "a", Provider: replication.HuaweiEVS, Address: "0.0.0.0:0"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err == nil {
		t.Error("listens for the whole world")
	}
	c.Close()
}

// A cloud that was closed can be started again, on the same ports.
func TestStartAgain(t *testing.T) {
	l := newLab(t, nil)
	url := l.cloud.URL(cloudsim.EndpointSDRS)
	l.cloud.Close()
	if err := l.cloud.Start(); err != nil {
		t.Fatal(err)
	}
	if l.cloud.URL(cloudsim.EndpointSDRS) != url {
		t.Errorf("moved from %s to %s", url, l.cloud.URL(cloudsim.EndpointSDRS))
	}
	l.want(l.get(cloudsim.EndpointSDRS, sdrsGroups), 200, "server_groups")
}
