package app

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// definitions are the metrics of rules, votes, guards, incidents and the store
// (contract §6), read from the last round.
func definitions() []collector.Metric {
	group := []string{"account", "group"}
	with := func(first string, last ...string) []string { return append(append([]string{first}, group...), last...) }
	return []collector.Metric{
		{Name: "drwatch_observers", Help: "Observers by the site they stand in: live, or lost and not removed.", Labels: []string{"site", "state"}},
		{Name: "drwatch_witness_last_seen_timestamp_seconds", Help: "When the heartbeat of an observer at the site was last seen to move.", Unit: "seconds", Labels: []string{"site"}},
		{Name: "drwatch_observer_fit", Help: "1 for each condition of this observer's fitness that holds for all rules; with 0 it abstains.", Labels: []string{"condition"}},
		{Name: "drwatch_leader", Help: "1 while this observer leads."},
		{Name: "drwatch_frozen", Help: "1 while nothing may be failed over from here: frozen by a person, by a file or variable beside this observer, or the store cannot be read."},
		{Name: "drwatch_store_up", Help: "1 while the coordination store can be read and written, as this observer sees it."},
		{Name: "drwatch_rule_info", Help: "Each rule with its effective mode and hash.", Labels: []string{"rule", "mode", "action", "hash"}},
		{Name: "drwatch_rule_active", Help: "1 while a rule's trigger is true for a group: pending until it was for the whole `for`, then firing.", Labels: with("rule", "state")},
		{Name: "drwatch_rule_votes", Help: "Live votes on a rule and group.", Labels: with("rule", "vote")},
		{Name: "drwatch_guard_blocked", Help: "1 for each condition that keeps a rule whose trigger is true from acting on a group.", Labels: with("rule", "guard")},
		{Name: "drwatch_group_latched", Help: "1 while a group waits for `drwatch ack`.", Labels: group},
		{Name: "drwatch_incidents_open", Help: "Incidents that have not ended.", Labels: []string{"phase"}},
		{Name: "drwatch_last_failover_timestamp_seconds", Help: "When a group was last seen to fail over, whoever did it.", Unit: "seconds", Labels: group},
		{Name: "drwatch_credentials_last_read_successful", Help: "1 if the last attempt to read or renew the keys succeeded; with 0, those held before serve until they end or are refused.", Labels: []string{"account", "use"}},
		{Name: "drwatch_credentials_expiry_timestamp_seconds", Help: "When the temporary keys in use end, where the place they come from tells it.", Unit: "seconds", Labels: []string{"account", "use"}},
		{Name: "drwatch_config_last_reload_successful", Help: "1 if the last attempt to load configuration and rules succeeded."},
		{Name: "drwatch_config_last_reload_success_timestamp_seconds", Help: "When configuration and rules were last loaded.", Unit: "seconds"},
	}
}

// samples are the values of the definitions now.
func (a *App) samples() []collector.Sample {
	return slices.AppendSeq(a.observerSamples(), a.groupSamples())
}

// observerSamples are those that say nothing of a group: few, and always of this
// moment.
func (a *App) observerSamples() []collector.Sample {
	s := a.controller.State()
	var out samples
	out.add("drwatch_leader", boolean(s.Leads))
	out.add("drwatch_frozen", boolean(s.Cluster.Freeze != nil || s.LocalFreeze != nil || s.ClusterErr != "" || s.At.IsZero()))
	out.add("drwatch_store_up", boolean(a.store.Status().Works()))
	ok, good := a.reloads.state()
	out.add("drwatch_config_last_reload_successful", boolean(ok))
	out.add("drwatch_config_last_reload_success_timestamp_seconds", unix(good))
	out.keys(a.clouds.Load().order)
	out.observers(s.Cluster, a.alive(s), a.controller.LastBeats())
	for _, f := range fitnessOf(s.Evaluation) {
		out.add("drwatch_observer_fit", boolean(f.OK), f.Name)
	}
	for _, r := range s.Evaluation.Rules {
		out.add("drwatch_rule_info", 1, r.Rule.Name, string(r.Rule.Mode), string(r.Rule.Action), r.Rule.Hash)
	}
	out.incidents(s.Cluster)
	return out
}

// groupSamples are those of groups: what rules and the store say of each, always
// in the same order, so that what has not changed is found rendered. There are
// tens of thousands in a round, so they are not collected.
func (a *App) groupSamples() iter.Seq[collector.Sample] {
	return func(yield func(collector.Sample) bool) {
		s := a.controller.State()
		var ofRules samples
		ofRules.rules(s)
		for _, sample := range ofRules {
			if !yield(sample) {
				return
			}
		}
		for _, g := range a.rules.list(a.collector.Snapshot()).groups {
			rec, id := s.Cluster.Groups[g.Key], []string{g.Account, g.Key.ID}
			if !yield(collector.Sample{Metric: "drwatch_group_latched", Labels: id, Value: boolean(rec.Latch != nil)}) {
				return
			}
			if rec.LastAction == nil {
				continue
			}
			if !yield(collector.Sample{Metric: "drwatch_last_failover_timestamp_seconds", Labels: id, Value: unix(rec.LastAction.At)}) {
				return
			}
		}
	}
}

type samples []collector.Sample

func (s *samples) add(name string, v float64, labels ...string) {
	*s = append(*s, collector.Sample{Metric: name, Labels: labels, Value: v})
}

func (s *samples) observers(c replication.Cluster, alive map[string]bool, beats map[string]time.Time) {
	live, all, seen := map[string]int{}, map[string]int{}, map[string]time.Time{}
	shown := map[string]bool{}
	for _, o := range c.Observers {
		if alive[o.Name] {
			live[o.Site]++
		}
		all[o.Site]++
		shown[o.Name] = true
		if at := beats[o.Name]; at.After(seen[o.Site]) {
			seen[o.Site] = at
		}
	}
	for name, site := range c.Registered {
		if shown[name] {
			continue
		}
		all[site]++
		if at := beats[name]; at.After(seen[site]) {
			seen[site] = at
		}
	}
	for _, site := range slices.Sorted(maps.Keys(all)) {
		s.add("drwatch_observers", float64(live[site]), site, "live")
		s.add("drwatch_observers", float64(all[site]-live[site]), site, "lost")
		if at := seen[site]; !at.IsZero() {
			s.add("drwatch_witness_last_seen_timestamp_seconds", unix(at), site)
		}
	}
}

func (s *samples) rules(state failover.State) {
	votes := map[string]int{}
	key := func(rule string, g replication.GroupKey, v replication.Verdict) string {
		return rule + "\x00" + g.String() + "\x00" + string(v)
	}
	for _, v := range state.Cluster.Votes {
		votes[key(v.Rule, v.Group, v.Verdict)]++
	}
	for _, r := range state.Evaluation.Rules {
		for _, t := range r.Targets {
			where := []string{r.Rule.Name, t.Group.Account, t.Group.Key.ID}
			for _, st := range []string{"pending", "firing"} {
				s.add("drwatch_rule_active", boolean(t.State == st), append(slices.Clone(where), st)...)
			}
			for _, v := range []replication.Verdict{replication.Go, replication.Veto, replication.Abstain} {
				s.add("drwatch_rule_votes", float64(votes[key(r.Rule.Name, t.Group.Key, v)]), append(slices.Clone(where), string(v))...)
			}
			s.guards(state, r, t, where)
		}
	}
}

// guards are told only while the trigger is true: what would block a failover
// that nobody asks for is in explain.
func (s *samples) guards(state failover.State, r failover.RuleView, t failover.Target, where []string) {
	if t.State == "" {
		return
	}
	if state.ClusterErr != "" {
		s.add("drwatch_guard_blocked", 1, append(slices.Clone(where), "store")...)
		return
	}
	d, ok := decisionOn(state, r.Rule.Name, t.Group.Key)
	if !ok {
		return
	}
	seen := map[string]bool{}
	for _, b := range d.Blocking() {
		if !seen[b.Name] {
			seen[b.Name] = true
			s.add("drwatch_guard_blocked", 1, append(slices.Clone(where), b.Name)...)
		}
	}
}

func (s *samples) incidents(c replication.Cluster) {
	open := map[replication.Phase]int{}
	for _, rec := range c.Incidents {
		open[rec.Phase]++
	}
	for _, p := range []replication.Phase{replication.Open, replication.Held, replication.Executing, replication.Verifying} {
		s.add("drwatch_incidents_open", float64(open[p]), string(p))
	}
}

// feed gives the samples to the rules' own history, once an evaluation
// interval.
func (a *App) feed() {
	now, every := a.o.Now(), a.current.Load().config.Global.EvaluationInterval
	if now.Sub(a.fed) < every {
		return
	}
	a.fed = now
	set, err := a.table.Series(a.samples())
	if err != nil {
		a.o.Logger.Error("samples left out of the history", "err", err)
	}
	a.history.Append("decisions", now, every, set)
}
