package demo

import (
	"context"
	"fmt"
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
func (p *play) perform(ctx context.Context, done <-chan error) (bool, error) {
	p.say.line("drwatch demo: four simulated clouds, one observer at the witness site, a site that will be lost.")
	if err := p.await(ctx, done, p.scaled(20*time.Second), "drwatch becomes ready", p.isReady); err != nil {
		return false, err
	}
	p.introduce()
	if err := p.await(ctx, done, p.scaled(20*time.Second), "every rule can be judged", p.isFit); err != nil {
		return false, err
	}
	promises := p.promise()
	if p.o.Spoil != nil {
		if err := p.o.Spoil(p.cloud); err != nil {
			return false, err
		}
	}
	if err := p.lose(); err != nil {
		return false, err
	}
	err := p.follow(ctx, done, promises)
	if err != nil && ctx.Err() != nil {
		return false, err
	}
	return p.judge(promises) && err == nil, err
}

// await waits for a condition, ending early with the daemon or the person.
func (p *play) await(ctx context.Context, done <-chan error, limit time.Duration, what string, ok func() bool) error {
	deadline := time.NewTimer(limit + 10*time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok() {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("ended by hand before %s", what)
		case err := <-done:
			return fmt.Errorf("the daemon ended before %s: %w", what, err)
		case <-deadline.C:
			return fmt.Errorf("waited in vain for this: %s", what)
		case f := <-p.facts:
			p.tell(f)
		case <-tick.C:
		}
		p.say.draw(p.table())
	}
}

func (p *play) isReady() bool { return p.app.Status().Ready && len(p.app.Groups()) > 0 }

// isFit: the observer vouches for itself, and knows every site.
func (p *play) isFit() bool {
	s := p.app.Status()
	if len(s.Fitness) == 0 || !s.Leads {
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
	return true
}

func (p *play) introduce() {
	s := p.app.Status()
	groups := p.app.Groups()
	p.say.line("Ready: %d accounts, %d groups; page and metrics at http://%s/", len(s.Accounts), len(groups), p.o.Listen)
	for _, a := range s.Accounts {
		p.say.line("  %-24s %-12s %d groups", a.Name, a.Provider, a.Groups)
	}
	for _, r := range p.app.Rules() {
		p.say.line("  rule %-15s %-5s %d groups, when az-a was unreachable for %s", r.Name, r.Mode, len(r.Targets), short(r.For))
	}
	p.say.line("It waits until it has watched for one whole hold time before it trusts itself to judge.")
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

func (p *play) lose() error {
	p.lost = p.o.Now()
	p.say.line("--- az-a is lost now ---")
	return p.cloud.LoseSite(lostSite, cloudsim.Loss{})
}

// follow tells every fact until all promised groups have an end.
func (p *play) follow(ctx context.Context, done <-chan error, promises []promise) error {
	told := 0.0
	return p.await(ctx, done, p.scaled(p.o.Patience), "all promised groups were failed over", func() bool {
		told = p.tellSite(told)
		ended := 0
		for _, i := range p.app.Incidents(allIncidents) {
			if i.Phase.Ended() {
				ended++
			}
		}
		want := 0
		for _, x := range promises {
			if x.moves {
				want++
			}
		}
		return ended >= want && len(p.facts) == 0
	})
}

// tellSite tells once a second for how long the lost site has been unreachable.
func (p *play) tellSite(told float64) float64 {
	for _, s := range p.app.Status().Sites {
		if s.Name != lostSite || s.Reachable == nil || *s.Reachable {
			continue
		}
		down := p.o.Now().Sub(s.Since).Seconds()
		if down < told+1 && told > 0 || down > 4 {
			return told
		}
		p.say.line("az-a unreachable for %.1f s (%s)", down, detail(s))
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

// tell turns a fact of the journal into a line.
func (p *play) tell(f failover.Fact) {
	i := f.Incident
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
