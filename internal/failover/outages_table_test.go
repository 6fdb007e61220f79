package failover_test

import (
	"context"
	"errors"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// notSent is a call that did not leave, without anybody having asked.
func notSent(*cloud) failover.Sent {
	return failover.Sent{Outcome: replication.NotSent, Err: errors.New("no connection")}
}

// silent is a call that was taken, and of which nothing is to be seen.
func silent(*cloud) failover.Sent {
	return failover.Sent{Outcome: replication.Accepted, Status: 200, RequestID: "q1", JobID: "j1"}
}

// for is how long an outage is played with its observer from the start.
func play(d time.Duration) func(*night) {
	return func(o *night) {
		stop := o.run("obs-w", o.store)
		wait(d)
		stop()
	}
}

// outages are what may happen to one, each with one thing out of the usual.
var outages = []struct {
	name     string
	provider replication.Provider
	mode     replication.Mode
	play     func(*night)
}{
	{"nothing out of the usual", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.says()
		play(30 * time.Second)(o)
	}},
	{"a provider that would take a second call", replication.AliyunEBS, replication.Auto, func(o *night) {
		o.says()
		play(30 * time.Second)(o)
	}},
	{"a limit of starts per hour", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.rule(func(r *failover.Rule) { r.MaxPerHour = 5 })
		o.says()
		play(30 * time.Second)(o)
	}},
	{"a rehearsal", replication.AliyunEBS, replication.DryRun, play(30 * time.Second)},
	{"a rehearsal that knows no lag", replication.HuaweiEVS, replication.DryRun, func(o *night) {
		o.group(func(g *replication.Group) { g.LastSync = time.Time{} })
		o.rule(func(r *failover.Rule) { r.LagUnknownAllow = true })
		play(30 * time.Second)(o)
	}},
	{"a rehearsal, and somebody moves it meanwhile", replication.HuaweiSDRS, replication.DryRun, func(o *night) {
		o.at = first("claimed", o.moves)
		play(30 * time.Second)(o)
	}},
	{"somebody else moves it after the claim", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = first("claimed", o.moves)
		play(time.Minute)(o)
	}},
	{"somebody else moves it after the claim and back", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		there := first("claimed", o.moves)
		back := first("verifying", func() {
			o.group(func(g *replication.Group) { g.Active, g.State, g.RawStatus = azA, replication.Replicating, "protected" })
			o.store.ConflictNext("claim", "what comes then") // and again, for it is lost all the same
		})
		o.at = func(step string) { there(step); back(step) }
		play(time.Minute)(o)
	}},
	{"somebody else begins to move it after the claim", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = first("claimed", func() {
			o.group(func(g *replication.Group) {
				g.Active, g.State, g.RawStatus = azB, replication.Switching, "failing-over"
			})
		})
		play(time.Minute)(o)
	}},
	{"it waits for a person, and somebody else moves it", replication.HuaweiSDRS, replication.Approve, func(o *night) {
		stop := o.run("obs-w", o.store)
		wait(20 * time.Second)
		o.moves()
		wait(20 * time.Second)
		stop()
	}},
	{"a person approves", replication.HuaweiSDRS, replication.Approve, func(o *night) {
		o.says()
		stop := o.run("obs-w", o.store)
		wait(20 * time.Second)
		o.approve("ann")
		wait(20 * time.Second)
		stop()
	}},
	{"two must approve, and the first has by then grown old", replication.HuaweiSDRS, replication.Approve, func(o *night) {
		o.every = 10 * time.Second
		o.rule(func(r *failover.Rule) { r.Approvals, r.ApprovalTimeout = 2, 10*time.Minute })
		o.says()
		stop := o.run("obs-w", o.store)
		wait(time.Minute)
		o.approve("ann")
		wait(12 * time.Minute)
		stop()
	}},
	{"two approve", replication.HuaweiSDRS, replication.Approve, func(o *night) {
		o.rule(func(r *failover.Rule) { r.Approvals = 2 })
		o.says()
		stop := o.run("obs-w", o.store)
		wait(20 * time.Second)
		o.approve("ann")
		wait(20 * time.Second)
		o.approve("bob")
		wait(20 * time.Second)
		stop()
	}},
	{"nobody approves", replication.HuaweiSDRS, replication.Approve, func(o *night) {
		o.every = 10 * time.Second
		o.rule(func(r *failover.Rule) { r.Approvals, r.ApprovalTimeout = 0, 5*time.Minute })
		play(7 * time.Minute)(o)
	}},
	{"nobody approves, and nothing says until when one may", replication.HuaweiSDRS, replication.Approve, func(o *night) {
		o.every = 10 * time.Second
		o.rule(func(r *failover.Rule) { r.ApprovalTimeout = 0 })
		o.says()
		stop := o.run("obs-w", o.store)
		wait(90 * time.Minute)
		o.approve("ann")
		wait(time.Minute)
		stop()
	}},
	{"a person has time for a veto", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.rule(func(r *failover.Rule) { r.VetoWindow = 20 * time.Second })
		o.says()
		play(time.Minute)(o)
	}},
	{"a person aborts", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.rule(func(r *failover.Rule) { r.VetoWindow = time.Minute })
		stop := o.run("obs-w", o.store)
		wait(20 * time.Second)
		o.abort()
		wait(20 * time.Second)
		stop()
	}},
	{"a person freezes, and lifts it", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.rule(func(r *failover.Rule) { r.VetoWindow = 15 * time.Second })
		o.says()
		stop := o.run("obs-w", o.store)
		wait(10 * time.Second)
		o.ok(o.store.Freeze(context.Background(), "ann", "wait"))
		wait(20 * time.Second)
		o.ok(o.store.Unfreeze(context.Background(), "ann", "go on"))
		wait(20 * time.Second)
		stop()
	}},
	{"what holds it goes to and fro", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.rule(func(r *failover.Rule) { r.VetoWindow = 3 * time.Minute })
		o.says()
		stop := o.run("obs-w", o.store)
		for range 8 {
			wait(10 * time.Second)
			o.ok(o.store.Freeze(context.Background(), "ann", "wait"))
			wait(10 * time.Second)
			o.ok(o.store.Unfreeze(context.Background(), "ann", "go on"))
		}
		wait(time.Minute)
		stop()
	}},
	{"a veto comes", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.rule(func(r *failover.Rule) { r.VetoWindow = time.Minute })
		stop := o.run("obs-w", o.store)
		wait(20 * time.Second)
		o.rules.says(replication.Veto)
		wait(20 * time.Second)
		stop()
	}},
	{"a veto comes while the provider is read", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = first("read", func() {
			o.rules.says(replication.Veto)
			<-time.After(5 * time.Second)
		})
		o.says()
		play(30 * time.Second)(o)
	}},
	{"the votes go", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.rule(func(r *failover.Rule) { r.VetoWindow = time.Minute })
		stop := o.run("obs-w", o.store)
		wait(20 * time.Second)
		o.rules.says(replication.Abstain)
		wait(20 * time.Second)
		stop()
	}},
	{"the rule changes", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.rule(func(r *failover.Rule) { r.VetoWindow = time.Minute })
		stop := o.run("obs-w", o.store)
		wait(20 * time.Second)
		o.rule(func(r *failover.Rule) { r.Hash = "h2" })
		wait(20 * time.Second)
		stop()
	}},
	{"the rule changes while the provider is read", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = first("read", func() {
			o.rule(func(r *failover.Rule) { r.Hash = "h2" })
			<-time.After(5 * time.Second)
		})
		play(30 * time.Second)(o)
	}},
	{"no poll shows the group any more", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.rule(func(r *failover.Rule) { r.VetoWindow = time.Minute })
		stop := o.run("obs-w", o.store)
		wait(20 * time.Second)
		o.rules.hide(true)
		wait(20 * time.Second)
		stop()
	}},
	{"the mode falls while the provider is read", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = first("read", func() {
			o.rule(func(r *failover.Rule) { r.Mode = replication.Approve })
			<-time.After(5 * time.Second)
		})
		play(30 * time.Second)(o)
	}},
	{"the provider cannot be read for a while", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.cloud.down = true
		o.says()
		later(o.cloud, 90*time.Second+500*time.Millisecond, func() { o.cloud.down = false })
		play(3 * time.Minute)(o)
	}},
	{"the provider says no once it is asked", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = func(step string) {
			switch step {
			case "claimed":
				o.group(func(g *replication.Group) { g.Ready[0].OK = false })
			case "read":
				later(o.cloud, 1500*time.Millisecond, func() { o.cloud.group.Ready[0].OK = true })
			}
		}
		o.says()
		play(time.Minute)(o)
	}},
	{"the provider shows it elsewhere once it is asked", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = first("claimed", func() { o.group(func(g *replication.Group) { g.Active = replication.Location{Region: "moon"} }) })
		play(30 * time.Second)(o)
	}},
	{"the store does not answer under the claim", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = first("read", func() {
			o.store.Disconnect(errAway)
			time.AfterFunc(3400*time.Millisecond, o.store.Heal)
		})
		o.says()
		play(time.Minute)(o)
	}},
	{"the incident is written by somebody under the claim", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = first("read", func() { o.approve("ann") })
		o.says()
		play(30 * time.Second)(o)
	}},
	{"the keys that act cannot be loaded", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.set = func(opt *failover.Options) { opt.Senders = noKeys{} }
		play(time.Minute)(o)
	}},
	{"a claim meets a conflict", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.store.ConflictNext("claim", "the leader")
		o.says()
		play(30 * time.Second)(o)
	}},
	{"a claim is not made", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.store.FailNext("claim", errAway)
		o.says()
		play(30 * time.Second)(o)
	}},
	{"the intent is not written", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = first("read", func() { o.store.FailNext("write", errAway) })
		o.says()
		play(time.Minute)(o)
	}},
	{"the intent is written without an answer", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = first("read", func() { o.store.LoseAnswerAndConnection("write"); time.AfterFunc(8400*time.Millisecond, o.store.Heal) })
		o.says()
		play(time.Minute)(o)
	}},
	{"a veto comes with the intent", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = first("read", func() { o.store.ConflictNext("write", "a vote") })
		o.says()
		play(30 * time.Second)(o)
	}},
	{"it is refused", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.says(refused)
		play(30 * time.Second)(o)
	}},
	{"it is refused for its rate, twice", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.says(throttled, throttled)
		play(time.Minute)(o)
	}},
	{"it does not leave, three times", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.says(notSent, notSent, notSent)
		play(time.Minute)(o)
	}},
	{"it does not leave, for longer than it may take", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.rule(func(r *failover.Rule) { r.ExecutionTimeout = 10 * time.Second })
		o.says(notSent, notSent, notSent, notSent, notSent, notSent)
		play(time.Minute)(o)
	}},
	{"it does not leave, and may take for ever", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.rule(func(r *failover.Rule) { r.ExecutionTimeout = 0 })
		o.says(notSent, notSent, notSent, notSent, notSent, notSent, notSent)
		play(3 * time.Minute)(o)
	}},
	{"it fails", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.says(breaks)
		play(30 * time.Second)(o)
	}},
	{"the job fails", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.says(silent)
		o.track = func(p *failover.Progress) { p.JobFailed, p.Detail = true, "quota" }
		play(30 * time.Second)(o)
	}},
	{"the job fails, and the group has moved", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.says()
		o.track = func(p *failover.Progress) { p.JobFailed, p.Detail = true, "quota" }
		play(30 * time.Second)(o)
	}},
	{"the job fails, and the group is half moved", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.says()
		o.track = func(p *failover.Progress) { p.JobFailed, p.Group.State = true, replication.Replicating }
		play(30 * time.Second)(o)
	}},
	{"the job is all that is looked at for a while", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.says()
		n := 0
		o.track = func(p *failover.Progress) {
			if n++; n < 5 {
				p.Group = replication.Group{}
			}
		}
		play(30 * time.Second)(o)
	}},
	{"it is on its way for a while", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.says(func(c *cloud) failover.Sent {
			c.group.Active, c.group.State = azB, replication.Switching
			later(c, 10*time.Second+500*time.Millisecond, c.unmoveAndApply)
			return silent(c)
		})
		play(time.Minute)(o)
	}},
	{"nothing is to be seen of it for half an hour", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.every = 10 * time.Second
		o.says(func(c *cloud) failover.Sent {
			later(c, 30*time.Minute+500*time.Millisecond, c.apply)
			return silent(c)
		})
		play(32 * time.Minute)(o)
	}},
	{"nothing is to be seen of it, and a person gives up", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.every = 10 * time.Second
		o.says(silent)
		stop := o.run("obs-w", o.store)
		wait(40 * time.Minute)
		o.ok(o.store.GiveUp(context.Background(), o.only().ID, 1, "ann", "nothing comes"))
		wait(time.Minute)
		stop()
	}},
	{"the answer is lost, and it has moved", replication.AliyunEBS, replication.Auto, func(o *night) {
		o.says(lostAfterEffect)
		play(30 * time.Second)(o)
	}},
	{"the answer is lost, and it has not happened", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.every = 10 * time.Second
		o.says(lostBeforeEffect)
		play(20 * time.Minute)(o)
	}},
	{"the answer is lost, twice", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.every = 10 * time.Second
		o.says(lostBeforeEffect, lostBeforeEffect)
		play(37 * time.Minute)(o)
	}},
	{"the answer is lost, and the second is refused", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.every = 10 * time.Second
		o.says(lostBeforeEffect, refused)
		play(20 * time.Minute)(o)
	}},
	{"the answer is lost, and the second is refused for the first", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.every = 10 * time.Second
		o.says(lostBeforeEffect, refusedForTheFirst)
		play(20 * time.Minute)(o)
	}},
	{"the answer is lost, and the group changes without moving", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.every = 10 * time.Second
		o.says(func(c *cloud) failover.Sent {
			later(c, time.Minute+500*time.Millisecond, func() { c.group.RawStatus = "syncing" })
			later(c, 2*time.Minute+500*time.Millisecond, func() { c.group.RawStatus = "protected" })
			return lostBeforeEffect(c)
		})
		play(18 * time.Minute)(o)
	}},
	{"the answer is lost, and the group is changing when it could be sent again", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.every = 10 * time.Second
		o.says(func(c *cloud) failover.Sent {
			c.group.State = replication.Changing
			later(c, 19*time.Minute+500*time.Millisecond, func() { c.group.State = replication.Replicating })
			return lostBeforeEffect(c)
		})
		play(20 * time.Minute)(o)
	}},
	{"the answer of a warehouse is lost", replication.HuaweiDWS, replication.Auto, func(o *night) {
		o.every = 10 * time.Second
		o.says(lostBeforeEffect)
		play(18 * time.Minute)(o)
	}},
	{"an outcome cannot be written for a moment", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = first("sent", func() {
			o.store.Disconnect(errAway)
			time.AfterFunc(3500*time.Millisecond, o.store.Heal)
		})
		o.says()
		play(time.Minute)(o)
	}},
	{"an outcome cannot be written for minutes", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = first("sent", func() {
			o.store.Disconnect(errAway)
			time.AfterFunc(3*time.Minute+400*time.Millisecond, o.store.Heal)
		})
		o.says()
		play(5 * time.Minute)(o)
	}},
	{"an outcome that is not known cannot be written for minutes", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = first("sent", func() {
			o.store.Disconnect(errAway)
			time.AfterFunc(3*time.Minute+400*time.Millisecond, o.store.Heal)
		})
		o.says(lostAfterEffect)
		play(5 * time.Minute)(o)
	}},
	{"an outcome is written without an answer", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = first("sent", func() { o.store.LoseAnswerAndConnection("write"); time.AfterFunc(8400*time.Millisecond, o.store.Heal) })
		o.says()
		play(time.Minute)(o)
	}},
	{"the observer ends before the call", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.says()
		o.succeeds("claimed", time.Minute)
	}},
	{"the observer ends after the intent", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.says()
		o.every = 10 * time.Second
		o.succeeds("intent", time.Minute)
	}},
	{"the observer hangs with an answer", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.every = 10 * time.Second
		o.says(silent)
		o.succeeds("sent", 2*time.Minute)
	}},
	{"the observer hangs with a refusal", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.every = 10 * time.Second
		o.says(refused)
		o.succeeds("sent", 2*time.Minute)
	}},
	{"the observer hangs with a refusal for the rate", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.every = 10 * time.Second
		o.says(throttled)
		o.succeeds("sent", 2*time.Minute)
	}},
	{"the observer hangs with no answer", replication.HuaweiDWS, replication.Auto, func(o *night) {
		o.every = 10 * time.Second
		o.says(lostBeforeEffect)
		o.succeeds("sent", 2*time.Minute)
	}},
	{"the observer hangs before the first byte", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.every = 10 * time.Second
		o.says()
		o.succeeds("first_byte", 5*time.Minute)
	}},
}

// unmoveAndApply lets the effect come that was on its way.
func (c *cloud) unmoveAndApply() {
	c.group.Active = azA
	c.apply()
}

// noKeys hands out no sender.
type noKeys struct{}

func (noKeys) Sender(string) (failover.Sender, error) { return nil, errors.New("no such file") }
