package failover

import (
	"maps"
	"slices"

	"github.com/drwatch/drwatch/internal/replication"
)

// outvoted tells why this leader cannot judge what enough other sites say go to: its
// rule file is another, it does not see the group, has not read it in time, or
// cannot judge a guard. Another observer may be able to (protocol §2).
func (c *Controller) outvoted(eval Evaluation, cluster replication.Cluster) []string {
	seen := map[string]bool{}
	here := seenHere(eval)
	registered := len(sitesOf(cluster))
	for k, sites := range c.agreedOn(cluster) {
		var r Rule
		v, known := here.rules[k.rule]
		if known {
			r = v.Rule
		}
		agree, _ := r.quorum(registered)
		if len(sites) < agree {
			continue
		}
		t, target := here.targets[k.targetKey]
		switch {
		case !known || r.Hash != k.hash:
			seen["rule "+k.rule+" is another here than the one that the others say go by"] = true
		case cluster.Groups[k.group].OpenIncident != "":
		case !target:
			seen["this observer does not see "+k.group.String()] = true
		case t.Group.ReadAt.IsZero() || c.o.Now().Sub(t.Group.ReadAt) > r.DataAgeUnder:
			seen["this observer cannot read the groups of account "+t.Group.Account] = true
		case len(t.GuardsUnknown) > 0:
			seen["guard "+t.GuardsUnknown[0]+" of rule "+k.rule+" is not known here"] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// agreement is what observers say go to: a rule by its hash, on a group.
type agreement struct {
	targetKey
	hash string
}

// agreedOn are the sites that say go, by what to.
func (c *Controller) agreedOn(cluster replication.Cluster) map[agreement]map[string]bool {
	out, beating := map[agreement]map[string]bool{}, c.beating()
	for _, v := range cluster.Votes {
		if v.Verdict != replication.Go || !beating[v.Observer] {
			continue
		}
		k := agreement{targetKey{v.Rule, v.Group}, v.RuleHash}
		if out[k] == nil {
			out[k] = map[string]bool{}
		}
		out[k][v.Site] = true
	}
	return out
}

// indexed is an evaluation by what it is about.
type indexed struct {
	rules   map[string]*RuleView
	targets map[targetKey]*Target
}

func seenHere(eval Evaluation) indexed {
	out := indexed{rules: map[string]*RuleView{}, targets: map[targetKey]*Target{}}
	for i := range eval.Rules {
		r := &eval.Rules[i]
		out.rules[r.Rule.Name] = r
		for j := range r.Targets {
			out.targets[targetKey{r.Rule.Name, r.Targets[j].Group.Key}] = &r.Targets[j]
		}
	}
	return out
}
