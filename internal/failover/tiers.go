package failover

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// TierState is how far a rule that others come after has got in a loss of a site.
type TierState struct {
	Rule      string   `json:"rule"`
	Targets   int      `json:"targets"`
	Succeeded int      `json:"succeeded"`
	Left      []string `json:"left,omitempty"` // some of the groups that are not done
	// Known: all targets of the loss are known, and which are done.
	Known bool `json:"known"`
}

// done tells that nothing of the tier is left.
func (t TierState) done() bool { return t.Known && t.Succeeded == t.Targets }

const (
	// maxTierBytes bounds the groups that a record of a site loss names; of more it
	// keeps how many there are and a hash over them.
	maxTierBytes = 6 << 10
	// maxLeft bounds the groups that a condition names.
	maxLeft = 3
)

// tierMemo is the tiers of one evaluation and one read of the store, so that ten
// thousand groups do not count them ten thousand times.
type tierMemo struct {
	at       time.Time
	revision int64
	states   map[string]TierState // by rule and site
}

// after are the states of the rules that r comes after, in the loss of site.
func (c *Controller) after(r Rule, site string, cluster replication.Cluster) []TierState {
	if len(r.After) == 0 {
		return nil
	}
	eval := c.State().Evaluation
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := &c.tiers; m.states == nil || !m.at.Equal(eval.At) || m.revision != cluster.Revision {
		*m = tierMemo{at: eval.At, revision: cluster.Revision, states: map[string]TierState{}}
	}
	out := make([]TierState, len(r.After))
	for i, name := range r.After {
		key := name + "\x00" + site
		state, ok := c.tiers.states[key]
		if !ok {
			state = tierState(name, site, eval, cluster)
			c.tiers.states[key] = state
		}
		out[i] = state
	}
	return out
}

// tierState counts what a rule has done in the loss of the site. Before the loss
// is made nothing is done, and its targets are those of now.
func tierState(rule, site string, eval Evaluation, cluster replication.Cluster) TierState {
	loss := cluster.Losses[site]
	tier, fixed := loss.Tiers[rule]
	if loss.Rev == 0 || !fixed {
		targets, unsure := targetsAt(rule, site, eval)
		targets = append(targets, unsure...)
		return TierState{Rule: rule, Targets: len(targets), Left: targets[:min(len(targets), maxLeft)], Known: ruleKnown(rule, eval) && eval.AllPolled}
	}
	done := succeededIn(rule, site, loss, cluster)
	out := TierState{Rule: rule, Known: true}
	for _, g := range tier.Unsure {
		if i, ok := slices.BinarySearch(done, g); ok {
			done = slices.Delete(done, i, i+1)
			out.Targets, out.Succeeded = out.Targets+1, out.Succeeded+1
		} else if !elsewhere(rule, g, site, eval) {
			out.Targets++
			out.Left = append(out.Left, g)
		}
	}
	out.Left = out.Left[:min(len(out.Left), maxLeft)]
	out.Targets += tier.Count
	if len(tier.Groups) != tier.Count { // only their hash is kept
		switch n := min(len(done), tier.Count); {
		case hashOf(done) == tier.Hash:
			out.Succeeded += tier.Count
		default:
			out.Succeeded += n
			out.Known = n < tier.Count
		}
		return out
	}
	for _, g := range tier.Groups {
		if _, ok := slices.BinarySearch(done, g); ok {
			out.Succeeded++
		} else if len(out.Left) < maxLeft {
			out.Left = append(out.Left, g)
		}
	}
	return out
}

func ruleKnown(rule string, eval Evaluation) bool {
	return slices.ContainsFunc(eval.Rules, func(v RuleView) bool { return v.Rule.Name == rule })
}

// elsewhere tells that the provider now shows the group's production at another
// site.
func elsewhere(rule, group, site string, eval Evaluation) bool {
	for _, v := range eval.Rules {
		for _, t := range v.Targets {
			if v.Rule.Name == rule && t.Group.Key.String() == group {
				return !t.Group.Active.IsZero() && t.ActiveSite != site
			}
		}
	}
	return false
}

// targetsAt are the keys of the rule's targets whose production is at the site,
// and of those of which the provider does not tell where it is.
func targetsAt(rule, site string, eval Evaluation) (sure, unsure []string) {
	for _, v := range eval.Rules {
		if v.Rule.Name != rule {
			continue
		}
		for _, t := range v.Targets {
			switch {
			case t.ActiveSite == site:
				sure = append(sure, t.Group.Key.String())
			case t.Group.Active.IsZero():
				unsure = append(unsure, t.Group.Key.String())
			}
		}
	}
	slices.Sort(sure)
	slices.Sort(unsure)
	return sure, unsure
}

// succeededIn are the keys of the groups that the rule has failed over in the loss.
func succeededIn(rule, site string, loss replication.SiteLoss, cluster replication.Cluster) []string {
	var out []string
	for _, rec := range cluster.Incidents {
		if rec.Rule == rule && rec.Plan.LostSite == site && rec.Phase == replication.Succeeded && rec.OpenedClock >= loss.Clock {
			out = append(out, rec.Key().String())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// tiersAt fixes the targets of each rule that another comes after, at the making
// of a site loss.
func tiersAt(site string, eval Evaluation) map[string]replication.Tier {
	named := map[string]bool{}
	for _, v := range eval.Rules {
		for _, name := range v.Rule.After {
			named[name] = true
		}
	}
	if len(named) == 0 || !eval.AllPolled {
		return nil
	}
	room := maxTierBytes
	out := map[string]replication.Tier{}
	for name := range named {
		targets, unsure := targetsAt(name, site, eval)
		if sizeOf(unsure) > room/len(named)/2 { // no room to name them: they count
			targets, unsure = append(targets, unsure...), nil
			slices.Sort(targets)
		}
		tier := replication.Tier{Count: len(targets), Hash: hashOf(targets), Unsure: unsure}
		if sizeOf(targets)+sizeOf(unsure) <= room/len(named) {
			tier.Groups = targets
		}
		out[name] = tier
	}
	return out
}

// sizeOf is what the keys take in a record.
func sizeOf(groups []string) int {
	size := 0
	for _, g := range groups {
		size += len(g) + 3
	}
	return size
}

func hashOf(sorted []string) string {
	sum := sha256.Sum256([]byte(strings.Join(sorted, "\n")))
	return hex.EncodeToString(sum[:8])
}

// afterCondition: every target of the rules before this one has succeeded in this
// loss of the site. A rule without targets there holds nobody up; one of which
// nothing is told does.
func afterCondition(rules []string, known []TierState) judged {
	c := judged{Condition: replication.Condition{Name: "after", Threshold: "all targets of the rules before it have succeeded in this site loss", OK: true}}
	texts := make([]string, len(rules))
	var needs []string
	left, targets := 0, 0
	for i, rule := range rules {
		t := tierOf(rule, known)
		texts[i] = fmt.Sprintf("%s: %d of %d", t.Rule, t.Succeeded, t.Targets)
		switch {
		case !t.Known && t.Targets == 0:
			texts[i] = t.Rule + ": not all of its targets are known yet"
		case !t.Known:
			texts[i] += ", others than its targets among them"
		case len(t.Left) > 0:
			texts[i] += ", not " + strings.Join(t.Left, ", ")
		}
		left, targets = left+max(t.Targets-t.Succeeded, 0), targets+t.Targets
		if !t.done() {
			c.OK, needs = false, append(needs, t.needs())
		}
	}
	c.Value = strings.Join(texts, "; ")
	if !c.OK {
		c.flip, c.far = and(needs), 1
		if left > 0 {
			c.far = share(left, targets)
		}
	}
	return c
}

// tierOf is how far the rule has got, not known where nothing tells.
func tierOf(rule string, known []TierState) TierState {
	for _, t := range known {
		if t.Rule == rule {
			return t
		}
	}
	return TierState{Rule: rule}
}

// needs is what a tier that is not done wants.
func (t TierState) needs() string {
	left := max(t.Targets-t.Succeeded, 0)
	switch {
	case !t.Known:
		return "all targets of " + t.Rule + " must be known and have succeeded"
	case left > len(t.Left):
		return fmt.Sprintf("%s of %s must succeed", count(left, "more group", "more groups"), t.Rule)
	}
	return fmt.Sprintf("%s of %s must succeed", and(t.Left), t.Rule)
}
