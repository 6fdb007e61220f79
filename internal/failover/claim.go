package failover

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

const (
	// claimsAtOnce is how many claims are under way at a time (protocol §3).
	claimsAtOnce = 32
	// claimShare is the part of the lease in which a round may begin claims. It is
	// more than roundShare, which is for what is done one after the other: the
	// round still ends within a third of the lease.
	claimShare = 5
)

// claimAll claims what the decisions allow, many at a time. Conflicts are left to
// the next round: what they show is read again and decided again. So is all that
// comes behind the first claim of a site loss, which makes the record that the
// others compare and that tells which targets come first.
func (c *Controller) claimAll(ctx context.Context, eval Evaluation, cluster replication.Cluster, ds []Decision) {
	all := newClaims(c, eval, cluster)
	defer all.wg.Wait()
	for _, d := range ds {
		r, t, ok := all.target(d)
		if !ok || !d.Act || cluster.Groups[d.Group].OpenIncident != "" || all.taken[d.Group] {
			continue
		}
		if all.first[t.ActiveSite] {
			c.nudge()
			continue
		}
		claim, ok := all.decide(r, t)
		if !ok {
			continue
		}
		if !all.mayBegin() {
			c.nudge()
			return
		}
		all.first[t.ActiveSite] = claim.LossRev == 0
		all.taken[d.Group] = true
		all.wg.Go(func() { all.end(c.claim(ctx, claim)) })
	}
}

// claims are those of one round. All but end is for one goroutine.
type claims struct {
	c       *Controller
	eval    Evaluation
	cluster replication.Cluster
	began   time.Time
	here    indexed
	taken   map[replication.GroupKey]bool // claimed in this round
	first   map[string]bool               // sites whose loss is made in this round

	wg     sync.WaitGroup
	free   chan struct{}
	failed atomic.Int32
}

// targetKey names a target: its rule and its group.
type targetKey struct {
	rule  string
	group replication.GroupKey
}

func newClaims(c *Controller, eval Evaluation, cluster replication.Cluster) *claims {
	return &claims{
		c: c, eval: eval, cluster: cluster, began: c.o.Now(), here: seenHere(eval),
		taken: map[replication.GroupKey]bool{}, first: map[string]bool{}, free: make(chan struct{}, claimsAtOnce),
	}
}

// target is what the decision is on.
func (a *claims) target(d Decision) (RuleView, Target, bool) {
	t := a.here.targets[targetKey{d.Rule, d.Group}]
	if t == nil {
		return RuleView{}, Target{}, false
	}
	return *a.here.rules[d.Rule], *t, true
}

// decide decides once more, so that the journal holds the very snapshot that the
// claim was decided on.
func (a *claims) decide(r RuleView, t Target) (replication.Claim, bool) {
	s := a.c.snapshot(a.c.election, r, t, a.cluster)
	d := decided(s)
	if !d.Act {
		return replication.Claim{}, false
	}
	claim := a.c.newClaim(s, d)
	if claim.LossRev == 0 {
		claim.Loss.Tiers = tiersAt(claim.Loss.Site, a.eval)
	}
	return claim, true
}

// mayBegin waits until one more may be under way. It is false when the round has
// no time for it any more, or so many have failed that the others would too.
func (a *claims) mayBegin() bool {
	a.free <- struct{}{}
	if a.failed.Load() >= claimsAtOnce || a.c.o.Now().Sub(a.began) >= a.c.o.LeaseTTL/claimShare {
		<-a.free
		return false
	}
	return true
}

func (a *claims) end(ok bool) {
	if !ok {
		a.failed.Add(1)
	}
	<-a.free
}

// claim makes one claim. It is false when that failed otherwise than by a conflict.
func (c *Controller) claim(ctx context.Context, claim replication.Claim) bool {
	rec, err := c.o.Store.Claim(ctx, claim)
	switch {
	case errors.Is(err, replication.ErrConflict):
		c.o.Logger.Info("claim refused, deciding again", "rule", claim.Incident.Rule, "group", claim.Incident.Key().String(), "why", err)
		c.nudge()
	case err != nil:
		c.o.Logger.Error("claim not made", "rule", claim.Incident.Rule, "group", claim.Incident.Key().String(), "err", err)
		return false
	default:
		c.o.At("claimed")
		c.o.Told(Fact{Incident: rec.Incident, Entry: claim.Entry})
		c.nudge()
	}
	return true
}

func find(eval Evaluation, rule string, key replication.GroupKey) (RuleView, Target, bool) {
	for _, r := range eval.Rules {
		if r.Rule.Name != rule {
			continue
		}
		for _, t := range r.Targets {
			if t.Group.Key == key {
				return r, t, true
			}
		}
	}
	return RuleView{}, Target{}, false
}

func (c *Controller) newClaim(s Snapshot, d Decision) replication.Claim {
	r, t, cluster, now := s.Rule, s.Target, s.Cluster, c.o.Now()
	g := t.Group
	data := d.entry().Data
	data["revision"] = cluster.Revision
	inc := replication.Incident{
		ID: incidentID(now, r.Name, g.Key, cluster.Revision), Rule: r.Name, RuleHash: r.Hash,
		Account: g.Account, Provider: g.Key.Provider, Group: g.Key.ID, Name: cutName(g.Name),
		Action: r.Action, Mode: d.Mode, Phase: replication.Open, OpenedAt: now.UTC(), OpenedClock: replication.Duration(cluster.Clock),
		RPOSeconds: secondsOf(d.RPO), Trigger: replication.Trigger{Expr: r.Expr, Value: finite(t.Value), Since: t.Since.UTC()},
		Votes: storable(d.Counted), Guards: d.Conditions, Calls: []replication.Call{}, Approvals: []replication.Approval{},
		Slot: -1, Plan: newPlan(s, d),
	}
	loss := cluster.Losses[t.ActiveSite]
	if loss.Rev == 0 {
		loss = replication.SiteLoss{Site: t.ActiveSite, Since: now.UTC(), Clock: replication.Duration(cluster.Clock)}
	}
	return replication.Claim{
		Incident: inc, Observer: c.o.Observer, LeaderRev: c.election, Revision: cluster.Revision,
		GroupRev: cluster.Groups[g.Key].Rev, Votes: d.Counted, LossRev: loss.Rev, Loss: loss,
		Entry: replication.Entry{
			At: now.UTC(), Observer: c.o.Observer, Event: "claimed", Phase: replication.Open,
			Text: fmt.Sprintf("rule %s claims %s (%s): %s to %s, mode %s, %s", r.Name, cutName(g.Name), g.Key, t.ActiveSite, t.TargetSite, d.Mode, votersText(d.Counted)),
			Data: data,
		},
	}
}

func newPlan(s Snapshot, d Decision) replication.Plan {
	r, t := s.Rule, s.Target
	return replication.Plan{
		Action: r.Action, From: t.Group.Active, To: t.Group.Standby(), LostSite: t.ActiveSite, TargetSite: t.TargetSite,
		RawStatus: t.Group.RawStatus, Fence: r.Fence, VetoWindow: replication.Duration(r.VetoWindow),
		ExecutionTimeout: replication.Duration(r.ExecutionTimeout), ApprovalTimeout: replication.Duration(r.ApprovalTimeout),
		Approvals: r.Approvals, MaxConcurrent: r.MaxConcurrent, For: replication.Duration(r.For),
		LastSync: t.Group.LastSync, Lost: d.Lost.UTC(), LostThere: d.LostThere.UTC(), ActionTimeout: replication.Duration(t.ActionTimeout),
	}
}

// incidentID is readable, sorts by time, and is unique: no two claims of a
// group share a revision.
func incidentID(now time.Time, rule string, key replication.GroupKey, revision int64) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d", rule, key, revision))
	return now.UTC().Format("20060102t150405") + "-" + hex.EncodeToString(h[:4])
}

func votersText(votes []replication.Vote) string {
	parts := make([]string, len(votes))
	for i, v := range votes {
		parts[i] = fmt.Sprintf("%s at %s", v.Observer, v.Site)
	}
	sort.Strings(parts)
	return "go from " + strings.Join(parts, ", ")
}

func secondsOf(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	s := d.Round(time.Millisecond).Seconds()
	return &s
}

// storable is votes whose values JSON can hold: an infinite trigger is true all
// the same.
func storable(votes []replication.Vote) []replication.Vote {
	out := slices.Clone(votes)
	for i := range out {
		out[i].Value = finite(out[i].Value)
	}
	return out
}

func finite(v float64) float64 {
	switch {
	case math.IsNaN(v):
		return 0
	case math.IsInf(v, 0):
		return math.Copysign(math.MaxFloat64, v)
	}
	return v
}

// maxName is how much of a group's name an incident keeps.
const maxName = 256

func cutName(name string) string {
	if r := []rune(name); len(r) > maxName {
		return string(r[:maxName-1]) + "…"
	}
	return name
}
