package simtest_test

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/ledger"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

const root = "/drwatch/test/"

// judgeCommit looks at each transaction the moment it is applied.
func (w *world) judgeCommit(a quorumtest.Applied) {
	w.judgeEntries(a)
	if a.Txn.Op == "vote" {
		w.judgeVotes(a)
	}
	for _, p := range a.Txn.Puts {
		id, ok := strings.CutPrefix(p.Key, root+"incident/")
		if !ok {
			continue
		}
		var inc replication.Incident
		if err := json.Unmarshal(p.Value, &inc); err != nil {
			w.violated("incident %s cannot be read: %v", id, err)
			return
		}
		w.judgeHolder(a, inc)
		w.judgeToken(a, inc)
		w.judgePhase(a, inc)
		w.judgeMode(inc)
		w.judgeEnding(a, inc)
		switch a.Txn.Op {
		case "claim":
			w.tell("%s claims %s as %s, votes of %s", a.Observer, inc.Name, inc.ID, voters(inc))
			w.judgeClaim(a, inc)
		case "aborting":
			w.judgeAbort(inc)
		case "take over":
			w.tell("%s takes %s over (%s)", a.Observer, inc.ID, inc.Phase)
		case "write":
			call := inc.LastCall()
			if inc.Phase == replication.Executing && call != nil && call.Outcome == replication.OutcomeNone {
				w.tell("%s writes the intent of call %d of %s", a.Observer, call.Attempt, inc.ID)
				w.judgeIntent(a, inc)
				continue
			}
			last := ""
			if call != nil {
				last = " after " + string(call.Outcome)
			}
			w.tell("%s writes %s: %s%s %s%s", a.Observer, inc.ID, inc.Phase, last, inc.HeldBy, inc.Error)
		}
	}
}

func voters(inc replication.Incident) string {
	var out []string
	for _, v := range inc.Votes {
		out = append(out, v.Observer)
	}
	return strings.Join(out, ", ")
}

// judgeClaim: two sites agree, none of them the active one, and each of their
// observers has truly not seen the site for as long as the rule holds.
func (w *world) judgeClaim(a quorumtest.Applied, inc replication.Incident) {
	if a.At(root+"freeze").Mod != 0 {
		w.violated("%s is claimed while all is frozen", inc.Name)
	}
	w.judgeLeader(a, inc)
	w.judgeAlone(a, inc)
	if latched(a.At(root + "group/" + string(inc.Provider) + "/" + inc.Group).Value) {
		w.violated("%s is claimed although it is latched", inc.Name)
	}
	if inc.Person != nil {
		return // who asks stands in for the votes
	}
	w.judgeVetoes(a, inc, "claimed")
	w.judgeBudget(a, inc)
	w.judgeCooldown(inc)
	w.judgeLag(inc)
	sites := map[string]bool{}
	for _, v := range inc.Votes {
		sites[v.Site] = true
		o := w.observer(v.Observer)
		if o == nil || v.Site == inc.Plan.LostSite {
			w.violated("%s is claimed with the vote of %s at %s", inc.Name, v.Observer, v.Site)
			continue
		}
		if v.RuleHash != inc.RuleHash {
			w.violated("%s is claimed with the vote of %s on another rule", inc.Name, v.Observer)
		}
		w.mu.Lock()
		said := o.said
		w.mu.Unlock()
		if said.blind {
			w.violated("%s is claimed with the vote of %s, which saw no site at all", inc.Name, v.Observer)
		}
		// A vote is as old as its observer's last round, and lives as long as its lease.
		if seen := said.at.Sub(said.up[inc.Plan.LostSite]); seen < holdIn(inc.RuleHash)-probeEvery {
			w.violated("%s is claimed with the vote of %s, which saw %s %s ago", inc.Name, v.Observer, inc.Plan.LostSite, seen)
		}
	}
	if len(sites) < w.agree {
		w.violated("%s is claimed by the vote of %d site", inc.Name, len(sites))
	}
}

// judgeLeader: whoever writes it leads, by the election that it holds the incident
// with.
func (w *world) judgeLeader(a quorumtest.Applied, inc replication.Incident) {
	var lead replication.Leader
	var holder replication.Holder
	key := a.At(root + "leader")
	_ = json.Unmarshal(key.Value, &lead) // nobody leads where nothing stands
	_ = json.Unmarshal(a.At(root+"holder/"+inc.ID).Value, &holder)
	if lead.Observer != a.Observer || holder.LeaderRev != key.Create {
		w.violated("%s writes %s in phase %s by election %d; the leader is %s by %d", a.Observer, inc.ID, inc.Phase, holder.LeaderRev, lead.Observer, key.Create)
	}
}

// judgeHolder: only the holder writes an incident.
func (w *world) judgeHolder(a quorumtest.Applied, inc replication.Incident) {
	var holder replication.Holder
	_ = json.Unmarshal(a.At(root+"holder/"+inc.ID).Value, &holder)
	if a.Observer != "root" && holder.Observer != a.Observer {
		w.violated("%s writes %s, which %s holds", a.Observer, inc.ID, holder.Observer)
	}
}

// judgeAlone: no other incident is open on the group.
func (w *world) judgeAlone(a quorumtest.Applied, inc replication.Incident) {
	for _, it := range a.Under(root + "incident/") {
		var other replication.Incident
		if err := json.Unmarshal(it.Value, &other); err == nil && other.ID != inc.ID && other.Key() == inc.Key() && !other.Phase.Ended() {
			w.violated("%s is claimed as %s while %s is open", inc.Name, inc.ID, other.ID)
		}
	}
}

// judgeSlots: no more at a time than the rule says.
func (w *world) judgeSlots(a quorumtest.Applied, inc replication.Incident) {
	n := 0
	for _, it := range a.Under(root + "incident/") {
		var other replication.Incident
		if err := json.Unmarshal(it.Value, &other); err == nil && other.Rule == inc.Rule && (other.Phase == replication.Executing || other.Phase == replication.Verifying) && len(other.Calls) > 0 {
			n++
		}
	}
	if n > inc.Plan.MaxConcurrent {
		w.violated("%d are under way at a time, the rule allows %d", n, inc.Plan.MaxConcurrent)
	}
}

func latched(record []byte) bool {
	var r struct {
		Latch *replication.Latch `json:"latch"`
	}
	return json.Unmarshal(record, &r) == nil && r.Latch != nil
}

// judgeVetoes: no veto stands in the store, and nobody there sees the other site down.
func (w *world) judgeVetoes(a quorumtest.Applied, inc replication.Incident, what string) {
	for _, it := range a.Under(root + "vote/") {
		var shard struct {
			Votes map[string]struct {
				Verdict replication.Verdict `json:"v"`
				Down    bool                `json:"d"`
			} `json:"v"`
		}
		if json.Unmarshal(it.Value, &shard) != nil {
			continue
		}
		v := shard.Votes[inc.Key().String()]
		if v.Verdict == replication.Veto {
			w.violated("%s is %s under the veto of %s", inc.Name, what, it.Key)
		}
		if v.Down {
			w.violated("%s is %s to a site that is down by %s", inc.Name, what, it.Key)
		}
	}
}

// judgeIntent: nothing that a person or an observer has said against it stands.
func (w *world) judgeIntent(a quorumtest.Applied, inc replication.Incident) {
	if a.At(root+"freeze").Mod != 0 {
		w.violated("an intent of %s while all is frozen", inc.ID)
	}
	if a.At(root+"abort/"+inc.ID).Mod != 0 {
		w.violated("an intent of %s after its abort", inc.ID)
	}
	w.judgeLeader(a, inc)
	if inc.Person == nil {
		w.judgeVetoes(a, inc, "about to be called")
		w.judgeSlots(a, inc)
		w.judgeAgreed(a, inc)
	}
	w.mu.Lock()
	w.intents[inc.ID] = w.now()
	w.mu.Unlock()
	last := inc.LastCall()
	if inc.Person == nil && last.ExpectedStatus != "protected" || last.ExpectedActive != inc.Plan.From {
		w.violated("an intent of %s on a group that is %s at %s", inc.ID, last.ExpectedStatus, siteOf(last.ExpectedActive))
	}
	w.judgeOnTheirWay(inc)
	unknown := 0
	for i, c := range inc.Calls {
		if c.Outcome == replication.Uncertain && !c.ChangedAt.IsZero() {
			w.violated("an intent of %s although the group has changed since a call of unknown outcome", inc.ID)
		}
		switch c.Outcome {
		case replication.Accepted:
			w.violated("an intent of %s after an accepted call", inc.ID)
		case replication.Uncertain, replication.OutcomeNone:
			unknown++
			if i < len(inc.Calls)-1 && time.Since(c.StartedAt) < signatureLife+settle {
				w.violated("an intent of %s only %s after that of a call of unknown outcome", inc.ID, time.Since(c.StartedAt))
			}
		case replication.Rejected, replication.NotSent, replication.Throttled:
		}
	}
	if unknown > 2 || unknown == 2 && inc.Provider == replication.HuaweiDWS {
		w.violated("the intent of a call of %s with %d of unknown outcome", inc.ID, unknown)
	}
}

// judgeFirstByte: the sender leads, holds the incident, and has its intent in the
// store. When it was stopped after its last look, for that long, nothing on its side
// can know what has become of that: the wait for what it has signed is for such a call.
func (w *world) judgeFirstByte(l *life, g *group, o failover.Order, stopped time.Duration) {
	c, err := w.root.Read(context.Background())
	if err != nil {
		w.violated("the store cannot be read: %v", err)
		return
	}
	inc, ok := c.Incidents[o.Incident]
	w.mu.Lock()
	intent := w.intents[o.Incident]
	since := w.now() - intent
	robbed := w.robbed[l.name] > intent // in the store alone: nothing on its side can know
	w.mu.Unlock()
	if since-stopped > 2*time.Second+10*time.Millisecond {
		w.violated("%s sends for %s %s after the intent", l.name, o.Incident, since)
	}
	switch call := inc.LastCall(); {
	case !ok:
		w.violated("%s sends for an incident that is not in the store", l.name)
		return
	case stopped > 0 || robbed:
	case c.Leader == nil || c.Leader.Observer != l.name || c.Leader.CreateRev != inc.Holder.LeaderRev:
		w.violated("%s sends for %s, the leader is %+v", l.name, inc.ID, c.Leader)
	case call == nil || call.Outcome != replication.OutcomeNone || inc.Phase != replication.Executing:
		w.violated("%s sends for %s, which has no intent without outcome", l.name, inc.ID)
	}
	if site := g.site(); site != siteOf(inc.Plan.From) {
		// It may have moved between the last look and the first byte, by our own call.
		w.tell("%s stands at %s already", g.name, site)
	}
}

// judgeEnd looks at what has become of it all.
func (w *world) judgeEnd() {
	for _, g := range w.order {
		if len(g.effects) > 1 {
			w.violated("%s was failed over %d times", g.name, len(g.effects))
		}
		if w.lostAt() == 0 && len(g.effects) > 0 && w.everSeen() {
			w.tell("%s was failed over although %s was up: nobody could see it", g.name, "az-a")
		}
	}
	c := w.cluster()
	for _, it := range c.Incidents {
		entries, err := w.root.Journal(context.Background(), it.ID)
		if err == nil {
			err = ledger.VerifyJournal(entries)
		}
		if err != nil {
			w.violated("the journal of %s: %v", it.ID, err)
		}
	}
	w.judgeSilence(c)
	w.judgeProgress(c)
}

func (w *world) everSeen() bool { return true }

// judgeProgress: all is healed for long enough and the site is lost for good, so
// each group there has been failed over, or there is a reason that a person has
// been told.
func (w *world) judgeProgress(c replication.Cluster) {
	if w.lostAt() == 0 || w.person.Load() || w.up("az-a") || w.rule(w.fileNow()).Mode != replication.Auto {
		return
	}
	for _, g := range w.order {
		if len(g.effects) > 0 {
			continue
		}
		excused := w.allStartedSince() || w.losesTooMuch(g)
		for _, it := range c.Incidents {
			if it.Key() == g.key && (it.Phase == replication.Failed || it.Phase == replication.Ambiguous || it.Phase == replication.Simulated) {
				excused = true // it is latched, or a rehearsal has ended the episode
			}
		}
		if !excused {
			w.violated("%s was not failed over: %s", g.name, w.whyNot(g, c))
		}
	}
}

// lagSlack is by how much what a failover loses may look greater than it is: a clock
// may be ahead, and the last good look is older than the loss.
const lagSlack = skewed + probeEvery

// unsent is what the standby had not got when the site went down.
func (w *world) unsent(g *group) time.Duration {
	fell := w.fellAt()
	g.mu.Lock()
	defer g.mu.Unlock()
	return w.began.Add(fell).Sub(g.lastSync)
}

// losesTooMuch: the standby was further behind than the rule allows.
func (w *world) losesTooMuch(g *group) bool {
	limit := w.rule(w.fileNow()).Guards.LagUnder
	return limit != nil && g.key.Provider.Async() && w.unsent(g) >= *limit-lagSlack
}

// allStartedSince: no observer that lives has seen the site before it was lost, so
// nobody can tell what a failover would lose.
func (w *world) allStartedSince() bool {
	for _, o := range w.observers {
		o.daemon().mu.Lock()
		seen := !o.daemon().lastUp["az-a"].IsZero()
		o.daemon().mu.Unlock()
		if seen {
			return false
		}
	}
	return true
}

func (w *world) whyNot(g *group, c replication.Cluster) string {
	for _, it := range c.Incidents {
		if it.Key() == g.key && !it.Phase.Ended() {
			return it.ID + " is " + string(it.Phase) + " " + it.HeldBy
		}
	}
	why := "no incident"
	for _, o := range w.observers {
		s := o.daemon().controller.State()
		why += "; " + o.name
		if s.ClusterErr != "" {
			why += " " + s.ClusterErr
		}
		for _, d := range s.Decisions {
			if d.Group == g.key {
				for _, b := range d.Blocking() {
					why += " " + b.String()
				}
			}
		}
	}
	return why
}
