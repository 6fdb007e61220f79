package app

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/collector"
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/strictyaml"
	"github.com/drwatch/drwatch/internal/web"
)

// Status is the daemon's own state.
func (a *App) Status() api.Status {
	l, state, store, snap := a.current.Load(), a.controller.State(), a.store.Status(), a.collector.Snapshot()
	c := l.config
	s := api.Status{
		Version: a.o.Version, Observer: c.Observer.Name, Site: c.Observer.Site, Mode: c.Global.Mode, StartedAt: a.started.UTC(),
		Leads: state.Leads, Freeze: state.Cluster.Freeze, LocalFreeze: state.LocalFreeze, EvaluatedAt: utc(state.At), Fitness: fitnessOf(state.Evaluation),
		Store: api.Store{Joined: store.Joined, Restarts: store.Restarts, Error: store.LastError, ReadAt: utc(state.ClusterAt)},
	}
	if s.Store.Error == "" {
		s.Store.Error = state.ClusterErr
	}
	if state.Cluster.Leader != nil {
		s.Leader = state.Cluster.Leader.Observer
	}
	s.NotReady = a.notReady(store.Joined, state.ClusterErr, snap)
	s.Ready = len(s.NotReady) == 0
	for _, acc := range snap.Accounts {
		s.Accounts = append(s.Accounts, accountOf(acc, snap))
	}
	for _, site := range snap.Sites {
		s.Sites = append(s.Sites, siteOf(site, snap, a.o.Now()))
	}
	s.OpenIncidents, s.LatchedGroups = unsettled(state.Cluster)
	s.Notes = a.notes(state)
	return s
}

// unsettled counts what is under way and what waits for a person's ack.
func unsettled(c replication.Cluster) (open []api.OpenIncidents, latched int) {
	counts := map[api.OpenIncidents]int{}
	for _, rec := range c.Incidents {
		if !rec.Phase.Ended() {
			counts[api.OpenIncidents{Phase: rec.Phase, HeldBy: rec.HeldBy}]++
		}
	}
	open = []api.OpenIncidents{}
	for what, n := range counts {
		what.Count = n
		open = append(open, what)
	}
	slices.SortFunc(open, func(x, y api.OpenIncidents) int {
		return strings.Compare(string(x.Phase)+x.HeldBy, string(y.Phase)+y.HeldBy)
	})
	for _, rec := range c.Groups {
		if rec.Latch != nil {
			latched++
		}
	}
	return open, latched
}

// accountOf is an account with what is wrong with it: the whole poll, one of its
// two ends, or that others hold what it lists.
func accountOf(a collector.Account, snap *collector.Snapshot) api.Account {
	return api.Account{
		Name: a.Name, Provider: a.Provider, Up: a.Up, Groups: a.Groups, LastSuccess: utc(a.LastSuccess), ToldBy: a.ToldBy(),
		Error: cmp.Or(a.Error, a.Silent, heldElsewhere(a, snap)),
	}
}

// heldElsewhere tells of the groups that accounts before this one list too, ""
// when there are none.
func heldElsewhere(a collector.Account, snap *collector.Snapshot) string {
	if len(a.Duplicates) == 0 {
		return ""
	}
	holders := map[string]bool{}
	for _, key := range a.Duplicates {
		holders[snap.Groups[key].Account] = true
	}
	return fmt.Sprintf("%d held by %s, listed there too", len(a.Duplicates), strings.Join(slices.Sorted(maps.Keys(holders)), ", "))
}

// fitnessOf is the fitness for the rule that asks the most: the first that does
// not hold counts.
func fitnessOf(e failover.Evaluation) []replication.Condition {
	out := []replication.Condition{}
	seen := map[string]int{}
	for _, r := range e.Rules {
		for _, f := range r.Fitness {
			if i, ok := seen[f.Name]; !ok {
				seen[f.Name] = len(out)
				out = append(out, f)
			} else if !f.OK {
				out[i] = f
			}
		}
	}
	return out
}

func (a *App) notReady(joined bool, clusterErr string, snap *collector.Snapshot) []string {
	var why []string
	switch {
	case !joined:
		why = append(why, "the coordination store has not been joined")
	case clusterErr != "":
		why = append(why, "the coordination store does not answer: "+clusterErr)
	}
	for _, acc := range snap.Accounts {
		if !acc.Tried {
			why = append(why, "account "+acc.Name+" has not been polled yet")
		}
	}
	return why
}

func siteOf(s collector.Site, snap *collector.Snapshot, now time.Time) api.Site {
	out := api.Site{Name: s.Name, Since: utc(s.Since), Probes: []api.Probe{}}
	if s.Verdict.Known && !now.After(s.Verdict.Until) {
		out.Reachable = &s.Verdict.Reachable
	}
	for _, p := range snap.Probes {
		if p.Spec.Site == s.Name && !p.Result.At.IsZero() {
			out.Probes = append(out.Probes, api.Probe{Name: p.Spec.Name, Success: p.Result.Success, At: utc(p.Result.At), DurationSeconds: p.Result.Duration.Seconds(), Detail: p.Result.Detail})
		}
	}
	return out
}

// Groups are all groups, by account and name.
func (a *App) Groups() []api.Group {
	snap, cluster := a.collector.Snapshot(), a.controller.State().Cluster
	out := make([]api.Group, 0, len(snap.Groups))
	for _, g := range snap.Groups {
		out = append(out, groupOf(g, cluster.Groups[g.Key]))
	}
	slices.SortFunc(out, func(x, y api.Group) int {
		return strings.Compare(x.Account+"\x00"+x.Name+"\x00"+x.Group, y.Account+"\x00"+y.Name+"\x00"+y.Group)
	})
	return out
}

func groupOf(g collector.Group, rec replication.GroupRecord) api.Group {
	out := api.Group{
		Account: g.Account, Group: g.Key.ID, Provider: g.Key.Provider, Name: g.Name, Region: g.Region,
		SourceSite: g.SourceSite, TargetSite: g.StandbySite, ActiveSite: g.ActiveSite, State: g.State, RawStatus: g.RawStatus,
		FailoverReady: g.FailoverReady(), Conditions: g.Ready, LagSeconds: secondsOf(g.Lag), LastSync: utc(g.LastSync),
		RPOSeconds: secondsOf(g.RPOObjective), ReadAt: utc(g.ReadAt), ToldBy: g.Side, OpenIncident: rec.OpenIncident,
	}
	if rec.Latch != nil {
		out.Latched = rec.Latch.Why
	}
	return out
}

// Rules are all rules with what they see and what holds them back.
func (a *App) Rules() []api.Rule {
	state := a.controller.State()
	out := []api.Rule{}
	for _, r := range state.Evaluation.Rules {
		rule := api.Rule{Name: r.Rule.Name, Hash: r.Rule.Hash, Mode: r.Rule.Mode, Expr: r.Rule.Expr, For: r.Rule.For.Seconds(), Error: r.Err, Targets: []api.RuleTarget{}}
		for _, t := range r.Targets {
			row := api.RuleTarget{Account: t.Group.Account, Group: t.Group.Key.ID, Name: t.Group.Name, State: stateOf(t), Since: utc(t.Since), Value: t.Value, Mode: r.Rule.Mode, Blocking: []replication.Condition{}}
			if d, ok := decisionOn(state, r.Rule.Name, t.Group.Key); ok {
				row.Act, row.Mode, row.Blocking = d.Act, d.Mode, d.Blocking()
			}
			rule.Targets = append(rule.Targets, row)
		}
		out = append(out, rule)
	}
	return out
}

func stateOf(t failover.Target) string {
	if t.State == "" {
		return "inactive"
	}
	return t.State
}

func decisionOn(s failover.State, rule string, key replication.GroupKey) (failover.Decision, bool) {
	for _, d := range s.Decisions {
		if d.Rule == rule && d.Group == key {
			return d, true
		}
	}
	return failover.Decision{}, false
}

// Observers are the observers that the store knows to be alive.
func (a *App) Observers() []api.Observer {
	cluster := a.controller.State().Cluster
	out := []api.Observer{}
	for _, o := range cluster.Observers {
		out = append(out, api.Observer{Observer: o, Leads: cluster.Leader != nil && cluster.Leader.Observer == o.Name})
	}
	return out
}

// Explain is why a group has or has not been failed over.
func (a *App) Explain(account, group string) (api.Explain, error) {
	state, snap := a.controller.State(), a.collector.Snapshot()
	g, err := named(snap, account, group)
	if err != nil {
		return api.Explain{}, err
	}
	out := api.Explain{Group: groupOf(g, state.Cluster.Groups[g.Key]), Rules: []api.Explanation{}, Notes: []string{}}
	if state.ClusterErr != "" {
		out.Notes = append(out.Notes, "nothing can be decided: "+state.ClusterErr, a.staleNote(state))
	}
	for _, r := range state.Evaluation.Rules {
		for _, t := range r.Targets {
			if t.Group.Key == g.Key {
				out.Rules = append(out.Rules, explanation(state, r, t))
				out.Notes = append(out.Notes, a.alertNotes(r.Rule.Name)...)
			}
		}
	}
	if latch := state.Cluster.Groups[g.Key].Latch; latch != nil {
		out.Notes = append(out.Notes, fmt.Sprintf("the group is latched, no rule acts on it until `drwatch ack %s --reason …`: %s", cmp.Or(latch.Incident, g.Name), latch.Why))
	}
	if out.Group.OpenIncident != "" {
		out.Notes = append(out.Notes, "incident "+out.Group.OpenIncident+" is open on the group")
	}
	if len(out.Rules) == 0 {
		out.Notes = append(out.Notes, "no rule's targets match this group now")
	}
	return out, nil
}

// staleNote says how old is what is shown of a store that does not answer.
func (a *App) staleNote(state failover.State) string {
	if state.ClusterAt.IsZero() {
		return "the store has not been read since the start: votes and incidents are not known"
	}
	return "votes, latches and incidents are as they were " + a.o.Now().Sub(state.ClusterAt).Round(time.Second).String() + " ago, when the store was last read: observers that have died since still stand here"
}

func explanation(state failover.State, r failover.RuleView, t failover.Target) api.Explanation {
	e := api.Explanation{Rule: r.Rule.Name, Mode: r.Rule.Mode, State: stateOf(t), Since: utc(t.Since), Value: t.Value, Conditions: []replication.Condition{}, Nearest: []api.Change{}, Votes: []replication.Vote{}}
	if d, ok := decisionOn(state, r.Rule.Name, t.Group.Key); ok {
		e.Act, e.Mode, e.Conditions = d.Act, d.Mode, d.Conditions
		for _, n := range d.Nearest {
			e.Nearest = append(e.Nearest, api.Change{Condition: n.Condition, Change: n.Text})
		}
	}
	for _, v := range state.Cluster.Votes {
		if v.Rule == r.Rule.Name && v.Group == t.Group.Key {
			e.Votes = append(e.Votes, v)
		}
	}
	// The vote of an observer that has started anew stands beside its old one for a
	// while: the newest is the last.
	slices.SortFunc(e.Votes, func(x, y replication.Vote) int {
		return cmp.Or(strings.Compare(x.Observer, y.Observer), cmp.Compare(x.Rev, y.Rev))
	})
	if rec, ok := state.Cluster.Incidents[state.Cluster.Groups[t.Group.Key].OpenIncident]; ok && rec.Rule == r.Rule.Name {
		e.Incident, e.HeldBy = rec.ID, rec.HeldBy
	}
	return e
}

// named finds a group by its name or provider id, in one account or in all.
func named(snap *collector.Snapshot, account, name string) (collector.Group, error) {
	var found []collector.Group
	for _, key := range slices.SortedFunc(maps.Keys(snap.Groups), compareKeys) {
		g := snap.Groups[key]
		if (account == "" || g.Account == account) && (g.Name == name || g.Key.ID == name) {
			found = append(found, g)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return collector.Group{}, noGroup(snap, account, name)
	}
	where := make([]string, len(found))
	for i, g := range found {
		where[i] = g.Account + "/" + g.Key.ID
	}
	return collector.Group{}, fmt.Errorf("%w: %d groups are called %q, name the account and the id: %s", web.ErrRefused, len(found), name, strings.Join(where, ", "))
}

// noGroup says what of an account and a group's name is wrong, and what is near.
func noGroup(snap *collector.Snapshot, account, name string) error {
	var accounts, names, elsewhere []string
	for _, a := range snap.Accounts {
		accounts = append(accounts, a.Name)
	}
	if account != "" && !slices.Contains(accounts, account) {
		return fmt.Errorf("account %q: %w%s; accounts: %s", account, web.ErrNotFound, strictyaml.Suggest(account, accounts), strings.Join(accounts, ", "))
	}
	for _, g := range snap.Groups {
		switch {
		case account == "" || g.Account == account:
			names = append(names, g.Name)
		case g.Name == name || g.Key.ID == name:
			elsewhere = append(elsewhere, g.Account)
		}
	}
	slices.Sort(names)
	if len(elsewhere) > 0 {
		return fmt.Errorf("group %q in account %q: %w, but in account %s", name, account, web.ErrNotFound, strings.Join(elsewhere, ", "))
	}
	return fmt.Errorf("group %q: %w%s", name, web.ErrNotFound, strictyaml.Suggest(strings.TrimSpace(name), names))
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

func secondsOf(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	s := d.Seconds()
	return &s
}
