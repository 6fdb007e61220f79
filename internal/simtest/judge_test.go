package simtest_test

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// judgeVotes: an observer says go only of what it has seen by itself, in this life,
// for as long as the rule holds, with data that is fresh, and never of its own site.
func (w *world) judgeVotes(a quorumtest.Applied) {
	o := w.observer(a.Observer)
	if o == nil {
		return
	}
	l := o.daemon()
	l.mu.Lock()
	was, polled, saying := l.was, l.polledAt, l.saying
	l.mu.Unlock()
	if !saying || a.Late {
		return // it says what was so when it was sent; the life that sent it may have ended
	}
	l.saysSo()
	for _, p := range a.Txn.Puts {
		var shard struct {
			Votes map[string]struct {
				Verdict replication.Verdict `json:"v"`
				File    string              `json:"h"`
			} `json:"v"`
		}
		if !strings.HasPrefix(p.Key, root+"vote/") || json.Unmarshal(p.Value, &shard) != nil {
			continue
		}
		for group, v := range shard.Votes {
			if v.Verdict != replication.Go {
				continue
			}
			hold := holdIn(v.File) - probeEvery
			switch {
			case o.site == "az-a":
				w.violated("%s says go for %s: it stands in the site", o.name, group)
			case was.at.Sub(l.born) < hold:
				w.violated("%s says go for %s %s after its start", o.name, group, was.at.Sub(l.born))
			case was.blind:
				w.violated("%s says go for %s and sees no site at all", o.name, group)
			case was.at.Sub(was.up["az-a"]) < hold:
				w.violated("%s says go for %s and saw the site %s ago", o.name, group, was.at.Sub(was.up["az-a"]))
			case was.at.Sub(polled) > time.Minute+time.Second:
				w.violated("%s says go for %s, which it read %s ago", o.name, group, was.at.Sub(polled))
			}
		}
	}
}

// judgeEntries: what stands in a journal is never written again.
func (w *world) judgeEntries(a quorumtest.Applied) {
	for _, p := range a.Txn.Puts {
		if it := a.At(p.Key); strings.HasPrefix(p.Key, root+"journal/") && it.Create != it.Mod {
			w.violated("%s writes %s again", a.Observer, p.Key)
		}
	}
	for _, key := range a.Txn.Deletes {
		if strings.HasPrefix(key, root+"journal/") {
			w.violated("%s deletes %s", a.Observer, key)
		}
	}
}

// judgeToken: a claim and each take-over make a greater token, and nothing else does.
func (w *world) judgeToken(a quorumtest.Applied, inc replication.Incident) {
	token := a.At(root + "holder/" + inc.ID).Mod
	w.mu.Lock()
	was := w.tokens[inc.ID]
	w.tokens[inc.ID] = token
	w.mu.Unlock()
	makes := a.Txn.Op == "claim" || a.Txn.Op == "take over"
	if makes && token <= was || !makes && token != was {
		w.violated("%q by %s brings the token of %s from %d to %d", a.Txn.Op, a.Observer, inc.ID, was, token)
	}
}

// judgeMode: the mode of an incident only falls, and what is less than auto does not
// send.
func (w *world) judgeMode(inc replication.Incident) {
	w.mu.Lock()
	was, known := w.modes[inc.ID]
	w.modes[inc.ID] = inc.Mode
	w.mu.Unlock()
	if known && replication.Lowest(was, inc.Mode) != inc.Mode {
		w.violated("the mode of %s goes from %s to %s", inc.ID, was, inc.Mode)
	}
	sends := inc.Phase == replication.Executing && inc.Person == nil
	if sends && (inc.Mode == replication.DryRun || w.rule(inc.RuleHash).Mode == replication.DryRun) {
		w.violated("%s calls although it is a rehearsal", inc.ID)
	}
}

// judgeEnding: what a rule's call has failed at, or what is not known, latches the
// group; so does what a second call would do again.
func (w *world) judgeEnding(a quorumtest.Applied, inc replication.Incident) {
	ended := inc.Phase == replication.Failed || inc.Phase == replication.Ambiguous || inc.Phase == replication.Succeeded
	if !ended || inc.Person != nil || a.Txn.Op != "write" {
		return
	}
	if inc.LastCall() != nil {
		w.mu.Lock()
		w.called[inc.Key()] = w.now()
		w.mu.Unlock()
	}
	latch := latched(a.At(root + "group/" + string(inc.Provider) + "/" + inc.Group).Value)
	if needed := inc.Phase != replication.Succeeded || inc.Provider.Async(); needed && !latch {
		w.violated("%s is %s and its group is not latched", inc.ID, inc.Phase)
	}
}

// judgeBudget: after so many failures in the loss the rest is a person's.
func (w *world) judgeBudget(a quorumtest.Applied, inc replication.Incident) {
	var loss replication.SiteLoss
	_ = json.Unmarshal(a.At(root+"loss/az-a").Value, &loss) // none has failed where none stands
	if n := loss.Failures[inc.Rule]; n >= maxFailures {
		w.violated("%s is claimed after %d failures in the loss", inc.Name, n)
	}
}

// maxFailures is the rule's, as the judges know it.
const maxFailures = 3

// judgeLag: no more is lost than the rule allows.
func (w *world) judgeLag(inc replication.Incident) {
	g, limit := w.groups[inc.Key()], w.rule(inc.RuleHash).Guards.LagUnder
	if limit == nil || !inc.Provider.Async() || w.lostAt() == 0 {
		return
	}
	if lost := w.unsent(g); lost > *limit+lagSlack {
		w.violated("%s is claimed although %s are lost with it", inc.Name, lost)
	}
}

// judgeAgreed: so many sites say go in the store, at the moment of the intent.
func (w *world) judgeAgreed(a quorumtest.Applied, inc replication.Incident) {
	sites := map[string]bool{}
	for _, it := range a.Under(root + "vote/") {
		var shard struct {
			Site  string `json:"s"`
			Votes map[string]struct {
				Verdict replication.Verdict `json:"v"`
				File    string              `json:"h"`
			} `json:"v"`
		}
		if json.Unmarshal(it.Value, &shard) != nil {
			continue
		}
		if v := shard.Votes[inc.Key().String()]; v.Verdict == replication.Go && v.File == inc.RuleHash && shard.Site != inc.Plan.LostSite {
			sites[shard.Site] = true
		}
	}
	if len(sites) < w.agree {
		w.violated("an intent of %s while %d site says go", inc.ID, len(sites))
	}
}

// judgeAbort: nobody is told that what may be under way has been stopped.
func (w *world) judgeAbort(inc replication.Incident) {
	for _, call := range inc.Calls {
		if call.Outcome != replication.NotSent && call.Outcome != replication.Throttled && inc.Person == nil {
			w.violated("%s is aborted although call %d may have been sent (%s)", inc.ID, call.Attempt, call.Outcome)
		}
	}
}

// judgeSilence: each observer by itself has told a person of a trigger that has been
// true for so long with nothing under way.
func (w *world) judgeSilence(c replication.Cluster) {
	const patience = time.Minute + 25*time.Second
	if w.now() < w.heals+patience {
		return
	}
	for _, g := range w.order {
		if len(g.effects) > 0 || w.stirred(c, g, patience) {
			continue
		}
		for _, o := range w.observers {
			l := o.daemon()
			l.mu.Lock()
			since, told := l.firing[g.name], l.told[g.name]
			l.mu.Unlock()
			if !since.IsZero() && time.Since(since) > patience && told.IsZero() {
				w.violated("%s tells nobody that nothing becomes of %s for %s", o.name, g.name, time.Since(since))
			}
		}
	}
}

// stirred tells that something was done about the group lately.
func (w *world) stirred(c replication.Cluster, g *group, lately time.Duration) bool {
	for _, it := range c.Incidents {
		if it.Key() != g.key {
			continue
		}
		if it.Phase == replication.Executing || it.Phase == replication.Verifying || !it.EndedAt.IsZero() && time.Since(it.EndedAt) < lately+skewed {
			return true
		}
		if call := it.LastCall(); call != nil && time.Since(call.StartedAt) < lately+skewed {
			return true
		}
	}
	return c.Groups[g.key].LastAction != nil
}

// judgeOnTheirWay: no call of the group may still arrive of which its sender has no
// answer, whatever the incident knows of it.
func (w *world) judgeOnTheirWay(inc replication.Incident) {
	g := w.groups[inc.Key()]
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.sends {
		if since := time.Since(s.signed); !s.answered && since < signatureLife {
			w.violated("an intent of %s while a call may arrive that was signed %s before", inc.ID, since)
		}
	}
}

// judgeCooldown: no rule claims a group again so soon after a call.
func (w *world) judgeCooldown(inc replication.Incident) {
	w.mu.Lock()
	at, called := w.called[inc.Key()]
	w.mu.Unlock()
	if rule := w.rule(inc.RuleHash); called && w.now()-at < rule.Guards.Cooldown {
		w.violated("%s is claimed %s after its last call", inc.Name, w.now()-at)
	}
}
