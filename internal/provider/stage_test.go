package provider_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/dws"
	"github.com/drwatch/drwatch/internal/provider/ebs"
	"github.com/drwatch/drwatch/internal/provider/evs"
	"github.com/drwatch/drwatch/internal/provider/sdrs"
	"github.com/drwatch/drwatch/internal/replication"
)

// takes is how long each operation of the simulated clouds takes.
const takes = 4 * time.Second

// stage is one group in the simulated clouds, and what reads and changes it.
type stage struct {
	*testing.T
	cloud     *cloudsim.Cloud
	key       replication.GroupKey
	reader    provider.Reader
	operator  provider.Operator
	procedure func(replication.Action, replication.Group, replication.Incident) (replication.Procedure, error)
	asked     int

	mu    sync.Mutex
	ahead time.Duration // of the real clock, which signatures need
}

func (s *stage) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.ahead)
}

func (s *stage) move(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
}

func open(t *testing.T) *stage {
	t.Helper()
	s := &stage{T: t}
	var err error
	if s.cloud, err = cloudsim.New(cloudsim.Options{Now: s.now, Transition: takes}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.cloud.Close)
	if err := s.cloud.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stage) settings(endpoint, region string) provider.Settings {
	return provider.Settings{
		Account: "acct", Region: region, ProjectID: cloudsim.ProjectID, Endpoint: s.cloud.URL(endpoint), PrimaryRegion: "cn-beijing",
		PrimaryZone: "eu-west-0a", SecondaryZone: "eu-west-0b", Timeout: 10 * time.Second, UserAgent: "drwatch/0", Now: s.now, TimeZone: time.UTC,
		Credentials: func() (provider.Credentials, error) {
			return provider.Credentials{AccessKey: cloudsim.AccessKey, SecretKey: cloudsim.SecretKey}, nil
		},
	}
}

func zone(region, zone string) replication.Location {
	return replication.Location{Region: region, Zone: zone}
}

func must[V any](t *testing.T) func(V, error) V {
	return func(v V, err error) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func openSDRS(t *testing.T, g cloudsim.SDRSGroup) *stage {
	s := open(t)
	g.Source, g.Target, g.Pairs = zone("cn-north-4", "cn-north-4a"), zone("cn-north-4", "cn-north-4b"), 2
	settings := s.settings(cloudsim.EndpointSDRS, "cn-north-4")
	s.key = replication.GroupKey{Provider: replication.HuaweiSDRS, ID: must[string](t)(s.cloud.AddSDRS(g))}
	s.reader, s.operator = must[provider.Reader](t)(sdrs.NewReader(settings)), must[provider.Operator](t)(sdrs.NewOperator(settings, settings))
	s.procedure = sdrs.Procedure
	return s
}

func openEVS(t *testing.T, g cloudsim.EVSGroup) *stage {
	s := open(t)
	g.Source, g.Target, g.Pairs = zone("eu-west-0", "eu-west-0a"), zone("eu-west-0", "eu-west-0b"), 2
	settings := s.settings(cloudsim.EndpointEVS, "eu-west-0")
	s.key = replication.GroupKey{Provider: replication.HuaweiEVS, ID: must[string](t)(s.cloud.AddEVS(g))}
	s.reader, s.operator = must[provider.Reader](t)(evs.NewReader(settings)), must[provider.Operator](t)(evs.NewOperator(settings, settings))
	s.procedure = evs.Procedure
	return s
}

func openDWS(t *testing.T, g cloudsim.DWSGroup) *stage {
	s := open(t)
	g.Source, g.Target, g.Lag = zone("cn-north-4", "cn-north-4a"), zone("cn-east-3", "cn-east-3a"), time.Minute
	own, acting := s.settings(cloudsim.EndpointDWS, "cn-north-4"), s.settings(cloudsim.EndpointDWSStandby, "cn-north-4")
	s.key = replication.GroupKey{Provider: replication.HuaweiDWS, ID: must[string](t)(s.cloud.AddDWS(g))}
	s.reader, s.operator = must[provider.Reader](t)(dws.NewReader(own)), must[provider.Operator](t)(dws.NewOperator(acting, own))
	s.procedure = dws.Procedure
	return s
}

func openEBS(t *testing.T, g cloudsim.EBSGroup) *stage {
	s := open(t)
	g.Source, g.Target, g.Pairs, g.SyncEvery = zone("cn-beijing", "cn-beijing-a"), zone("cn-shanghai", "cn-shanghai-b"), 2, 10*time.Second
	own, acting := s.settings(cloudsim.EndpointEBS, "cn-beijing"), s.settings(cloudsim.EndpointEBSStandby, "cn-shanghai")
	s.key = replication.GroupKey{Provider: replication.AliyunEBS, ID: must[string](t)(s.cloud.AddEBS(g))}
	s.reader, s.operator = must[provider.Reader](t)(ebs.NewReader(own)), must[provider.Operator](t)(ebs.NewOperator(acting, own))
	s.procedure = ebs.Procedure
	return s
}

// read is the group with its drills.
func (s *stage) read() replication.Group {
	s.Helper()
	g, err := s.reader.Read(s.Context(), s.key.ID)
	if err != nil {
		s.Fatal(err)
	}
	if d, ok := s.reader.(provider.DrillReader); ok {
		if g.DrillList, err = d.Drills(s.Context(), s.key.ID); err != nil {
			s.Fatal(err)
		}
	}
	return g
}

// ask is the incident that a person's wish becomes.
func (s *stage) ask(a replication.Action, drill string) replication.Incident {
	s.Helper()
	g := s.read()
	s.asked++
	inc := replication.Incident{ID: fmt.Sprintf("20260102t0304%02d-0000abcd", s.asked), Plan: replication.Plan{
		Action: a, From: g.Active, To: g.Active, RawStatus: g.RawStatus, Drill: drill, AskedAt: s.now(),
	}}
	if a.Moves() {
		inc.Plan.To = g.Standby()
	}
	for _, d := range g.DrillList {
		inc.Plan.KnownDrills = append(inc.Plan.KnownDrills, d.ID)
	}
	return inc
}

func (s *stage) steps(a replication.Action, inc replication.Incident) []replication.Step {
	s.Helper()
	p, err := s.procedure(a, s.read(), inc)
	if err != nil {
		s.Fatal(err)
	}
	return p.Steps
}

// request is what is passed to a step's call.
func (s *stage) request(a replication.Action, inc replication.Incident) provider.Request {
	r := provider.Request{
		GroupID: s.key.ID, ClientToken: provider.ClientToken(s.key.Provider, s.key.ID, inc.ID, a), Group: s.read(), To: inc.Plan.To, Drill: inc.Plan.Drill,
	}
	if a == replication.StartDrill {
		r.Drill = provider.DrillName(inc.ID)
	}
	return r
}

// perform asks for an action and takes it through its steps, each only when it
// is ready and nothing is waited for, until each is proven done.
func (s *stage) perform(a replication.Action, drill string) replication.Incident {
	s.Helper()
	inc := s.ask(a, drill)
	for i, step := range s.steps(a, inc) {
		if step.Done || step.Failed != "" {
			s.Fatalf("%s: step %s shows done %v, failed %q before it was begun", a, step.Action, step.Done, step.Failed)
		}
		s.wait(a, inc, i, "is ready", func(now replication.Step) bool { return len(failing(now.Ready)) == 0 && len(failing(now.Waits)) == 0 })
		r := s.operator.Operate(s.Context(), step.Action, s.request(step.Action, inc))
		if r.Outcome != replication.Accepted || r.Err != nil {
			s.Fatalf("%s: %+v", step.Call, r)
		}
		inc.Calls = append(inc.Calls, replication.Call{Operation: string(step.Action), JobID: r.JobID, Outcome: r.Outcome})
		if s.steps(a, inc)[i].Done && s.read().State != replication.Syncing { // a full copy that began is a start that was done
			s.Fatalf("%s: done the moment it was accepted", step.Call)
		}
		s.wait(a, inc, i, "is done", func(now replication.Step) bool { return now.Done })
		for j, now := range s.steps(a, inc) {
			if now.Done != (j <= i) {
				s.Errorf("%s: after step %d, step %d shows done %v", a, i, j, now.Done)
			}
		}
		inc.Step++
	}
	return inc
}

func (s *stage) wait(a replication.Action, inc replication.Incident, i int, what string, holds func(replication.Step) bool) {
	s.Helper()
	var step replication.Step
	for range 30 {
		if step = s.steps(a, inc)[i]; holds(step) {
			return
		}
		if step.Failed != "" {
			s.Fatalf("%s: %s", step.Call, step.Failed)
		}
		s.move(time.Second)
	}
	s.Fatalf("%s: step %s never %s: ready %v, waits %v", a, step.Action, what, failing(step.Ready), failing(step.Waits))
}

func failing(all []replication.Condition) []string {
	var texts []string
	for _, c := range all {
		if !c.OK {
			texts = append(texts, c.String())
		}
	}
	return texts
}

// refused wants that the first step of an action is not ready, for that reason.
func (s *stage) refused(a replication.Action, drill, because string) {
	s.Helper()
	step := s.steps(a, s.ask(a, drill))[0]
	if because == "" || !slices.ContainsFunc(failing(step.Ready), func(text string) bool { return strings.Contains(text, because) }) {
		s.Errorf("%s: ready is %v, want that %q is in the way", a, step.Ready, because)
	}
}

// none wants that the provider has no such action.
func (s *stage) none(a replication.Action, because string) {
	s.Helper()
	if _, err := s.procedure(a, s.read(), s.ask(a, "")); !errors.Is(err, replication.ErrNoSuchAction) || !strings.Contains(err.Error(), because) {
		s.Errorf("%s: %v", a, err)
	}
	if r := s.operator.Operate(s.Context(), a, s.request(a, s.ask(a, ""))); r.Outcome != replication.NotSent || !errors.Is(r.Err, replication.ErrNoSuchAction) {
		s.Errorf("%s: %+v", a, r)
	}
}

// truth is what the simulated cloud itself knows.
func (s *stage) truth(status string, at replication.Location, replicating bool) {
	s.Helper()
	g, _ := s.cloud.Group(s.key.ID)
	if g.Status != status || g.Active != at || g.Replicating != replicating {
		s.Errorf("the group is %s at %s, replicating %v; want %s at %s, %v", g.Status, g.Active, g.Replicating, status, at, replicating)
	}
}
