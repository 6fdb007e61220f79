package failover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// driveAll looks at every incident that has not ended: takes over what nobody
// holds, holds or ends what waits, and starts what may go on.
func (c *Controller) driveAll(ctx context.Context, eval Evaluation, cluster replication.Cluster) {
	began := c.o.Now()
	for _, id := range c.inTurn(cluster) {
		rec := cluster.Incidents[id]
		if c.spent(began) {
			c.nudge()
			return
		}
		c.driven = id
		if err := c.drive(ctx, eval, cluster, rec); err != nil {
			c.o.Logger.Warn("incident not moved on, tried again next round", "incident", id, "err", err)
		}
	}
}

// inTurn are the incidents that have not ended, from the one behind the last
// that a round has looked at: a round that has no time for all goes on there.
func (c *Controller) inTurn(cluster replication.Cluster) []string {
	var before, behind []string
	for _, id := range slices.Sorted(maps.Keys(cluster.Incidents)) {
		switch {
		case cluster.Incidents[id].Phase.Ended():
		case id > c.driven:
			behind = append(behind, id)
		default:
			before = append(before, id)
		}
	}
	return append(behind, before...)
}

// roundShare is the part of the lease that the claims of a round may take, and
// once more what it drives. The round renews the lease, and a call needs most of
// it: a leader that wrote for longer would lose what it works under, and so
// would the one after it.
const roundShare = 15

// spent tells that a part of the round has taken its share.
func (c *Controller) spent(began time.Time) bool {
	return c.o.Now().Sub(began) >= c.o.LeaseTTL/roundShare
}

// hasTurn tells whether a slot can be free for the incident: each that is on its
// way to its call may take one. The others need not ask the provider meanwhile.
func (c *Controller) hasTurn(cluster replication.Cluster, rec replication.IncidentRecord) bool {
	if rec.Slot >= 0 {
		return true
	}
	taken := len(cluster.Slots[rec.Rule])
	for id := range c.runningNow() {
		if on, ok := cluster.Incidents[id]; ok && on.Rule == rec.Rule && on.Slot < 0 && on.Phase != replication.Verifying {
			taken++
		}
	}
	return taken < rec.Plan.MaxConcurrent
}

func (c *Controller) drive(ctx context.Context, eval Evaluation, cluster replication.Cluster, rec replication.IncidentRecord) error {
	// One whose steps ended since the store was read is not as it was read: it
	// may have ended. The next round sees it as it is.
	if c.isRunning(rec.ID) || c.busy[rec.ID] || rec.Abort == nil && c.o.Now().Before(c.retryAt(rec.ID)) {
		return nil
	}
	if rec.Holder.LeaderRev != c.election {
		taken, err := c.takeOver(ctx, cluster, rec)
		if err != nil || taken == nil {
			return err
		}
		rec = *taken
	}
	switch rec.Phase {
	case replication.Open, replication.Held:
		if rec.Person != nil {
			c.start(ctx, rec, c.operate)
			return nil
		}
		return c.driveWaiting(ctx, eval, cluster, rec)
	case replication.Executing, replication.Verifying:
		c.start(ctx, rec, c.resume)
	default: // it has ended
	}
	return nil
}

// takeOver makes the incident this election's, but only after its last holder
// can no longer be sending: lease, action timeout and margin after this
// observer first saw that nobody holds it, or, of an incident that has no intent
// yet, after it last saw the holder's heart beat.
func (c *Controller) takeOver(ctx context.Context, cluster replication.Cluster, rec replication.IncidentRecord) (*replication.IncidentRecord, error) {
	now := c.o.Now()
	s, ok := c.seen[rec.ID]
	if !ok || s.token != rec.Token {
		c.seen[rec.ID] = sighting{token: rec.Token, at: c.lostSince(rec, now)}
		return nil, nil
	}
	wait := c.o.LeaseTTL + time.Duration(rec.Plan.ActionTimeout) + c.o.Margin
	if now.Sub(s.at) < wait {
		return nil, nil
	}
	taken, err := c.o.Store.TakeOver(ctx, rec, *cluster.Leader)
	if err != nil {
		return nil, fmt.Errorf("taking over %s from %s: %w", rec.ID, rec.Holder.Observer, err)
	}
	delete(c.seen, rec.ID)
	c.o.Logger.Warn("incident taken over", "incident", rec.ID, "from", rec.Holder.Observer, "phase", rec.Phase)
	return &taken, nil
}

// lostSince is when the wait for a take-over begins. What has no intent has sent
// nothing, and its old holder cannot write one once the token has moved: the wait
// then only keeps a holder that still lives from being disturbed, and a heart that
// beats tells that better than the store's lease does, which lasts a whole TTL
// longer than its owner.
func (c *Controller) lostSince(rec replication.IncidentRecord, now time.Time) time.Time {
	if rec.LastCall() != nil || rec.Holder.Observer == c.o.Observer {
		return now
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.beats[rec.Holder.Observer]; !b.moved.IsZero() {
		return b.moved
	}
	return now
}

// driveWaiting decides again on an incident that has sent nothing.
func (c *Controller) driveWaiting(ctx context.Context, eval Evaluation, cluster replication.Cluster, rec replication.IncidentRecord) error {
	if rec.Abort != nil {
		return c.end(ctx, rec, replication.Aborted, fmt.Sprintf("aborted by %s: %s", rec.Abort.Who, rec.Abort.Reason), true)
	}
	r, t, ok := find(eval, rec.Rule, rec.Key())
	if g, known := groupOf(eval, rec.Key()); known && moved(rec, g) {
		c.start(ctx, rec, c.execute) // it has only to be proven: nothing is sent
		return nil
	} else if !known && ruleAsClaimed(eval, rec) {
		return c.holdFor(ctx, rec, "group_not_read", "no poll has shown the group since the start")
	}
	if why := c.gone(eval, rec, r.Rule, ok); why != "" {
		if c.heldElsewhere(cluster, rec) {
			return c.holdFor(ctx, rec, "rule_differs", "the rule here is not as it was at the claim; other observers have it so")
		}
		return c.end(ctx, rec, replication.Aborted, why, false)
	}
	s := c.snapshot(c.election, r, t, cluster)
	s.Claim = &rec
	d := decided(s)
	if !d.Evidence {
		return c.endOn(ctx, rec, d, replication.Aborted, "the evidence is gone: "+describe(d.Blocking()), false)
	}
	if !d.Act {
		return c.hold(ctx, rec, d, d.Blocking()[0].Name, describe(d.Blocking()))
	}
	by, why, over := c.waitsForPerson(rec, d, cluster)
	if over {
		return c.end(ctx, rec, replication.Aborted, why, true)
	}
	if by != "" {
		return c.hold(ctx, rec, d, by, why)
	}
	if c.hasTurn(cluster, rec) {
		c.start(ctx, rec, c.execute)
	}
	return nil
}

// heldElsewhere tells that an observer which is alive has the rule as it was at the
// claim (protocol 28).
func (c *Controller) heldElsewhere(cluster replication.Cluster, rec replication.IncidentRecord) bool {
	beating := c.beating()
	return slices.ContainsFunc(cluster.Votes, func(v replication.Vote) bool {
		return v.Rule == rec.Rule && v.RuleHash == rec.RuleHash && v.Group == rec.Key() && v.Observer != c.o.Observer && beating[v.Observer]
	})
}

func groupOf(eval Evaluation, key replication.GroupKey) (replication.Group, bool) {
	for _, g := range eval.Groups {
		if g.Key == key {
			return g, true
		}
	}
	return replication.Group{}, false
}

func ruleAsClaimed(eval Evaluation, rec replication.IncidentRecord) bool {
	for _, v := range eval.Rules {
		if v.Rule.Name == rec.Rule && v.Rule.Hash == rec.RuleHash {
			return true
		}
	}
	return false
}

// gone says why an incident that has sent nothing has lost its ground.
func (c *Controller) gone(eval Evaluation, rec replication.IncidentRecord, r Rule, found bool) string {
	if found && r.Hash == rec.RuleHash {
		return ""
	}
	for _, v := range eval.Rules {
		if v.Rule.Name == rec.Rule && v.Rule.Hash == rec.RuleHash {
			if v.Err != "" {
				return ""
			}
			return "the group is no longer a target of the rule"
		}
	}
	return "the rule is no longer as it was at the claim"
}

// waitsForPerson is the veto window and the approval; over means that the time
// for an answer has passed. Both run on the cluster clock.
func (c *Controller) waitsForPerson(rec replication.IncidentRecord, d Decision, cluster replication.Cluster) (by, why string, over bool) {
	switch d.Mode {
	case replication.Approve:
		need, have := max(rec.Plan.Approvals, 1), freshApprovals(rec, cluster.Clock)
		if have >= need {
			return "", "", false
		}
		limit := time.Duration(rec.Plan.ApprovalTimeout)
		if asked := time.Duration(rec.ApprovalClock); asked > 0 && limit > 0 && cluster.Clock-asked >= limit {
			return "", fmt.Sprintf("nobody approved within %s", limit), true
		}
		return heldByApproval, fmt.Sprintf("%d of %d approvals; answer with `drwatch approve %s --reason …` or `drwatch abort %s --reason …`", have, need, rec.ID, rec.ID), false
	case replication.Auto:
		open := cluster.Clock - time.Duration(rec.OpenedClock)
		if window := time.Duration(rec.Plan.VetoWindow); open < window {
			return "veto_window", fmt.Sprintf("a person may still `drwatch abort %s --reason …` within %s", rec.ID, window), false
		}
	case replication.DryRun: // a rehearsal asks nobody
	}
	return "", "", false
}

const heldByApproval = "approval"

// freshApprovals counts the approvals that are not older than the time a person
// has for one: what was approved in the morning is not done at night.
func freshApprovals(rec replication.IncidentRecord, clock time.Duration) int {
	n, limit := 0, time.Duration(rec.Plan.ApprovalTimeout)
	for _, a := range rec.Approvals {
		if limit <= 0 || clock-time.Duration(a.Clock) < limit {
			n++
		}
	}
	return n
}

func describe(cs []replication.Condition) string {
	if len(cs) == 0 {
		return ""
	}
	text := cs[0].String()
	if len(cs) > 1 {
		text += fmt.Sprintf("; and %d more", len(cs)-1)
	}
	return text
}

// hold writes what holds the incident, once for each new reason.
func (c *Controller) hold(ctx context.Context, rec replication.IncidentRecord, d Decision, by, why string) error {
	standing := rec.Phase == replication.Held && rec.HeldBy == by && rec.Mode == d.Mode
	if standing || c.heldJustNow(rec, holding{by, d.Mode}) {
		return nil
	}
	inc := rec.Incident
	inc.Phase, inc.HeldBy, inc.Mode, inc.Guards = replication.Held, by, d.Mode, d.Conditions
	if by == heldByApproval && inc.ApprovalClock == 0 {
		inc.ApprovalClock = replication.Duration(max(c.State().Cluster.Clock, time.Nanosecond))
	}
	_, err := c.write(ctx, rec, replication.Write{Incident: inc, Entry: d.entry()}, "held", "held by "+by+": "+why)
	if err == nil {
		c.noteHeld(rec.ID, holding{by, d.Mode})
	}
	return err
}

// holdAgain is how often the same reason is written again when others came between: a
// guard that goes to and fro must not fill the store with its journal.
const holdAgain = time.Minute

// holding is what holds an incident, in which mode.
type holding struct {
	by   string
	mode replication.Mode
}

// heldJustNow tells that this very reason was written a moment ago. The first time of
// each is always written.
func (c *Controller) heldJustNow(rec replication.IncidentRecord, h holding) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, ok := c.held[rec.ID][h]
	return ok && rec.Phase == replication.Held && c.o.Now().Sub(last) < holdAgain
}

func (c *Controller) noteHeld(id string, h holding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[id] == nil {
		c.held[id] = map[holding]time.Time{}
	}
	c.held[id][h] = c.o.Now()
}

// end ends an incident that has sent nothing, or nothing that happened.
func (c *Controller) end(ctx context.Context, rec replication.IncidentRecord, phase replication.Phase, why string, episode bool) error {
	return c.endOn(ctx, rec, Decision{}, phase, why, episode)
}

// endOn is end by a decision, which the journal then holds.
func (c *Controller) endOn(ctx context.Context, rec replication.IncidentRecord, d Decision, phase replication.Phase, why string, episode bool) error {
	inc := rec.Incident
	inc.Phase, inc.HeldBy, inc.EndedAt = phase, "", c.o.Now().UTC()
	if phase != replication.Simulated {
		inc.Error = why
	}
	group, err := c.groupRecord(ctx, rec.Key())
	if err != nil {
		return err
	}
	group.OpenIncident = ""
	_, err = c.write(ctx, rec, replication.Write{Incident: inc, Group: &group, FreeSlot: inc.Slot >= 0, Episode: episode, Entry: d.entry()}, string(phase), why)
	return err
}

// groupRecord reads the group's record as it is now: a write compares it.
func (c *Controller) groupRecord(ctx context.Context, key replication.GroupKey) (replication.GroupRecord, error) {
	cluster, err := c.o.Store.Read(ctx)
	if err != nil {
		return replication.GroupRecord{}, fmt.Errorf("reading the record of %s: %w", key, err)
	}
	return cluster.Groups[key], nil
}

// write makes one conditional write with its journal entry, and tells of it.
func (c *Controller) write(ctx context.Context, rec replication.IncidentRecord, w replication.Write, event, text string) (replication.IncidentRecord, error) {
	w.Token, w.IncidentRev = rec.Token, rec.Rev
	w.Entry = replication.Entry{Incident: rec.ID, At: c.o.Now().UTC(), Observer: c.o.Observer, Event: event, Phase: w.Incident.Phase, Text: text, Data: w.Entry.Data}
	out, err := c.o.Store.Write(ctx, w)
	if err != nil {
		return rec, fmt.Errorf("writing %q of incident %s: %w", event, rec.ID, err)
	}
	c.o.Logger.Info("incident", "incident", rec.ID, "rule", rec.Rule, "group", rec.Name, "event", event, "phase", out.Phase, "text", text)
	c.o.Told(Fact{Incident: out.Incident, Entry: w.Entry})
	return out, nil
}

func (c *Controller) isRunning(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.running[id]
	return ok
}

// runningNow are the incidents whose steps run now.
func (c *Controller) runningNow() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]bool, len(c.running))
	for id := range c.running {
		out[id] = true
	}
	return out
}

// runner drives one incident outside the round, under one election.
type runner func(ctx context.Context, election int64, rec replication.IncidentRecord) error

// start runs one incident's steps in their own goroutine, cancelled when the
// election ends.
func (c *Controller) start(ctx context.Context, rec replication.IncidentRecord, run runner) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	election := c.election
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping {
		cancel()
		return
	}
	c.running[rec.ID] = cancel
	c.wg.Add(1)
	c.o.Go(func() {
		defer c.wg.Done()
		defer cancel()
		err := run(ctx, election, rec)
		c.mu.Lock()
		delete(c.running, rec.ID)
		c.mu.Unlock()
		switch {
		case err == nil, errors.Is(err, context.Canceled):
		case errors.Is(err, replication.ErrConflict):
			c.o.Logger.Debug("somebody else was faster, decided again", "incident", rec.ID, "err", err)
		default:
			c.backOff(rec.ID)
			c.o.Logger.Warn("incident step ended early, resumed by a later round", "incident", rec.ID, "err", err)
		}
		c.nudge()
	})
}
