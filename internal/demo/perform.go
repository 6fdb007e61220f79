package demo

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// promise is a group that must be failed over, or must not be touched.
type promise struct {
	cloudsim.GroupState
	moves bool
}

// perform tells the play from the first poll to the last proof.
func (p *play) perform(ctx context.Context) (bool, error) {
	p.say.line("drwatch demo: four simulated clouds, three observers, a site that will be lost with one of them.")
	if err := p.await(ctx, 30*time.Second, "the observers become ready", p.isReady); err != nil {
		return false, err
	}
	if err := p.introduce(ctx); err != nil {
		return false, err
	}
	if err := p.await(ctx, 30*time.Second, "every rule can be judged", p.isFit); err != nil {
		return false, err
	}
	p.led = p.led[len(p.led)-1:] // who led before is no part of the play
	promises := p.promise()
	if p.o.Spoil != nil {
		if err := p.o.Spoil(p.cloud, p.address); err != nil {
			return false, err
		}
	}
	p.say.line("--- az-a is lost now; %s stands there, leads, and still runs ---", first)
	if err := p.cloud.LoseSite(lostSite, cloudsim.Loss{}); err != nil {
		return false, err
	}
	err := p.follow(ctx, promises)
	if err != nil && ctx.Err() != nil {
		return false, err
	}
	return p.judge(ctx, promises) && err == nil, err
}

// await waits for a condition, ending early with an observer or the person.
func (p *play) await(ctx context.Context, limit time.Duration, what string, ok func() bool) error {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		p.look(ctx)
		if ok() {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("ended by hand before %s", what)
		case err := <-p.broken:
			return fmt.Errorf("before %s: %w", what, err)
		case <-deadline.C:
			return fmt.Errorf("waited in vain for this: %s", what)
		case l := <-p.listening:
			if err := p.reached(l); err != nil {
				return err
			}
		case <-tick.C:
		}
		p.tellAll()
		p.say.draw(p.table())
	}
}

// isReady: all three are, and the observer of the site that will be lost leads.
func (p *play) isReady() bool {
	for _, name := range []string{first, second, witness} {
		if !p.seen.status[name].Ready {
			return false
		}
	}
	if p.seen.status[witness].Leader != first || len(p.seen.groups) == 0 {
		return false
	}
	return os.Remove(p.holdBack()) == nil
}

// isFit: the observers vouch for themselves, know every site, and agree on who
// leads.
func (p *play) isFit() bool {
	for _, name := range []string{first, second, witness} {
		s := p.seen.status[name]
		if len(s.Fitness) == 0 || s.Leader != first {
			return false
		}
		for _, f := range s.Fitness {
			if !f.OK {
				return false
			}
		}
		for _, site := range s.Sites {
			if len(site.Probes) > 0 && site.Reachable == nil {
				return false
			}
		}
	}
	return true
}

func (p *play) introduce(ctx context.Context) error {
	rules, err := p.observers[witness].api.Rules(ctx)
	if err != nil {
		return fmt.Errorf("asking for the rules: %w", err)
	}
	s := p.seen.status[witness]
	p.say.line("Ready: %d accounts, %d groups; page and metrics of the witness at http://%s/", len(s.Accounts), len(p.seen.groups), p.address)
	for _, name := range []string{first, second, witness} {
		what := "votes"
		switch name {
		case s.Leader:
			what = "votes, leads"
		case witness:
			what = "votes, has no credentials to act with"
		}
		p.say.line("  observer %-15s at %-10s %s", name, p.observers[name].site, what)
	}
	for _, a := range s.Accounts {
		p.say.line("  account %-16s %-13s %d groups", a.Name, a.Provider, a.Groups)
	}
	for _, r := range rules {
		p.say.line("  rule %-19s %-13s %d groups, when 2 of 3 sites saw az-a unreachable for %s", r.Name, r.Mode, len(r.Targets), short(r.For))
	}
	p.say.line("They wait until they have watched for one whole hold time before they trust themselves to judge.")
	return nil
}

// promise notes what must happen, from the clouds' own truth.
func (p *play) promise() []promise {
	var out []promise
	n := 0
	for _, g := range p.cloud.Groups() {
		moves := g.ActiveSite == lostSite
		if moves {
			n++
		}
		out = append(out, promise{g, moves})
	}
	p.say.line("Promise: the %d groups whose production is at az-a move once each; the other %d stay as they are.", n, len(out)-n)
	return out
}

// follow tells every fact until all promised groups have an end, and takes the
// leader away in the middle.
func (p *play) follow(ctx context.Context, promises []promise) error {
	told := 0.0
	return p.await(ctx, p.o.Patience, "all promised groups were failed over", func() bool {
		told = p.tellSite(told)
		p.strike(promises)
		ended, want := 0, 0
		for _, i := range p.seen.incidents {
			if i.Phase.Ended() {
				ended++
			}
		}
		for _, x := range promises {
			if x.moves {
				want++
			}
		}
		return ended >= want && len(p.facts) == 0
	})
}

// strike kills the leader in the middle: servers have been called for and others
// wait for their turn. The warehouses have moved by then, as the rules want it: of
// one whose call is cut off half way nobody could tell what became of it.
func (p *play) strike(promises []promise) {
	o, c := p.observers[first], p.sent.count(promises)
	if o.isLost() || c.open > 0 || c.servers == 0 || c.waiting == 0 {
		return
	}
	o.kill()
	p.tellAll() // what it could still say
	c = p.sent.count(promises)
	p.say.line("--- %s, the leader, is killed now (SIGKILL): %d groups are called for, %d wait for their turn ---", first, c.called+c.open, c.waiting)
	p.say.line("The other two are a majority. %s will lead when its lease has run out, and take over its work when nothing from it can be on its way any more.", second)
}

// tellSite tells once a second for how long the lost site has been unreachable.
func (p *play) tellSite(told float64) float64 {
	for _, s := range p.seen.status[witness].Sites {
		if s.Name != lostSite || s.Reachable == nil || *s.Reachable {
			continue
		}
		down := p.o.Now().Sub(s.Since).Seconds()
		if down < told+1 && told > 0 || down > 4 {
			return told
		}
		why := ""
		if told == 0 {
			why = " (" + detail(s) + ")"
		}
		p.say.line("az-a unreachable for %.1f s%s", down, why)
		return max(down, 0.001)
	}
	return told
}

func detail(s api.Site) string {
	for _, pr := range s.Probes {
		if !pr.Success {
			return "probe " + pr.Name + ": " + pr.Detail
		}
	}
	return "no probe answers"
}

// tellAll tells the facts that have come.
func (p *play) tellAll() {
	for len(p.facts) > 0 {
		p.tell(<-p.facts)
	}
}

// tell turns a fact of the journal into a line.
func (p *play) tell(f failover.Fact) {
	i := f.Incident
	p.sent.note(f)
	switch f.Entry.Event {
	case "claimed":
		p.say.line("%s: %s lost, %s; %s", i.Name, i.Plan.LostSite, loss(i), "claimed by rule "+i.Rule)
	case "intent":
		p.say.line("%s: failing over from %s to %s …", i.Name, i.Plan.LostSite, i.Plan.TargetSite)
	case "outcome":
		c := i.LastCall()
		p.say.line("%s: the provider says %s%s", i.Name, c.Outcome, jobText(c))
	case string(replication.Succeeded):
		p.say.line("%s: done, proven %.1f s after the loss was seen; %s", i.Name, value(i.RTOSeconds), loss(i))
	default:
		p.say.line("%s: %s: %s", i.Name, f.Entry.Event, f.Entry.Text)
	}
}

func jobText(c *replication.Call) string {
	switch {
	case c.Error != "":
		return ": " + c.Error
	case c.JobID != "":
		return ", job " + c.JobID[:min(len(c.JobID), 8)]
	}
	return ""
}

// loss is the lag with its limit, or that the provider has none.
func loss(i replication.Incident) string {
	if i.RPOSeconds == nil {
		return "lag not told by the provider (synchronous)"
	}
	for _, g := range i.Guards {
		if g.Name == "lag_under" {
			return fmt.Sprintf("RPO %.1f s, under %s", *i.RPOSeconds, g.Threshold)
		}
	}
	return fmt.Sprintf("RPO %.1f s", *i.RPOSeconds)
}

func value(f *float64) float64 {
	if f == nil {
		return 0
	}
	return *f
}

func short(seconds float64) string { return fmt.Sprintf("%g s", seconds) }
