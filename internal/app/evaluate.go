package app

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/evidence"
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/policy"
	"github.com/drwatch/drwatch/internal/probe"
	"github.com/drwatch/drwatch/internal/replication"
)

// evaluating turns what the collector sees and the evaluator says into what the
// controller decides on.
type evaluating struct {
	evaluator *policy.Evaluator
	seen      func() *collector.Snapshot
	pace      func() []probe.Pace
	clouds    func() *clouds
	mode      func() replication.Mode // the daemon's ceiling
	now       func() time.Time
	started   time.Time
	clocks    *clockWatch
	frozen    func() *replication.Freeze // what stops this observer alone
	took      func(rule string, d time.Duration, failed bool)
	listed    atomic.Pointer[listing]
}

// Evaluate evaluates all rules now. It never fails as a whole: a rule that
// cannot be evaluated says so itself.
func (e *evaluating) Evaluate(ctx context.Context) (failover.Evaluation, error) {
	now := e.now()
	snap := e.seen()
	listed := e.list(snap)
	got := e.evaluator.Evaluate(ctx, policy.Round{At: now, Targets: listed.targets, Fitness: e.fitness(now, snap)})
	out := failover.Evaluation{At: now, SiteUp: got.SiteUp, Groups: listed.groups, AllPolled: allPolled(snap), Probed: map[string]bool{}}
	for _, s := range snap.Sites {
		if s.Probes > 0 {
			out.Probed[s.Name] = true
		}
	}
	as := evidence.Observer{Mode: e.mode(), ActionTimeout: e.actionTimeout, Told: e.evaluator.Told}
	for _, r := range got.Rules {
		e.took(r.Rule.Name, r.Took, r.Err != nil)
		out.Rules = append(out.Rules, as.View(r))
	}
	return out, nil
}

func allPolled(snap *collector.Snapshot) bool {
	for _, a := range snap.Accounts {
		if a.LastSuccess.IsZero() {
			return false
		}
	}
	return true
}

// listing is the groups of a snapshot in the order of their keys. It is made once
// for all rounds between two polls, and nobody changes it.
type listing struct {
	version uint64
	targets []policy.Target
	groups  []replication.Group // never grown: the targets point into it
}

func (e *evaluating) list(snap *collector.Snapshot) *listing {
	version := snap.GroupsVersion()
	if l := e.listed.Load(); l != nil && l.version == version {
		return l
	}
	l := &listing{version: version, targets: make([]policy.Target, 0, len(snap.Groups)), groups: make([]replication.Group, 0, len(snap.Groups))}
	for _, key := range slices.SortedFunc(maps.Keys(snap.Groups), compareKeys) {
		g := snap.Groups[key]
		l.groups = append(l.groups, g.Group)
		l.targets = append(l.targets, policy.NewTarget(&l.groups[len(l.groups)-1], g.SourceSite, g.TargetSite, g.ActiveSite))
	}
	e.listed.Store(l)
	return l
}

func compareKeys(a, b replication.GroupKey) int {
	return cmp.Or(strings.Compare(string(a.Provider), string(b.Provider)), strings.Compare(a.ID, b.ID))
}

func (e *evaluating) actionTimeout(account string) time.Duration {
	if a, ok := e.clouds().byName[account]; ok {
		return a.config.ActionTimeout
	}
	return 0
}

// fitness is what this observer knows of itself.
func (e *evaluating) fitness(now time.Time, snap *collector.Snapshot) policy.Fitness {
	f := policy.Fitness{Started: e.started}
	f.Suspensions, f.Steps = e.clocks.look()
	if frozen := e.frozen(); frozen != nil {
		f.Frozen = frozen.Who + ": " + frozen.Reason
	}
	for _, p := range snap.Probes {
		if p.Spec.Site == "" {
			f.References = append(f.References, policy.Reference{Name: p.Spec.Name, OK: p.Result.Success, At: p.Result.At, Age: p.Until().Sub(p.Result.At)})
		}
	}
	for _, p := range e.pace() {
		f.Loops = append(f.Loops, policy.Loop{Name: p.ID.String(), Interval: p.Interval, Rounds: p.Rounds})
	}
	for _, a := range snap.Accounts {
		f.Snapshots = append(f.Snapshots, policy.Snapshot{Account: a.Name, ReadAt: a.LastSuccess, Age: max(3*a.PollInterval, time.Minute)})
	}
	for _, s := range snap.Sites {
		if s.Probes > 0 {
			f.Sites = append(f.Sites, policy.SiteView{Site: s.Name, Known: s.Verdict.Known && !now.After(s.Verdict.Until), Up: s.Verdict.Reachable})
		}
	}
	return f
}
