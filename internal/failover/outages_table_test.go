package failover_test

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// plot is what happens in one outage.
type plot struct {
	name     string
	provider replication.Provider
	mode     replication.Mode
	play     func(*night)
}

// play is an outage of that length with its observer from the start.
func play(d time.Duration) func(*night) {
	return func(o *night) {
		stop := o.run("obs-w", o.store)
		wait(d)
		stop()
	}
}

// beforeTheCall is what may happen to an incident up to its intent, each plot with
// one thing out of the usual.
var beforeTheCall = []plot{
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
	{"the provider says no once it is asked, three times", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		n := 0
		o.shows = func(g *replication.Group) {
			n++
			g.Ready[0].OK = n > 3
		}
		o.says()
		play(time.Minute)(o)
	}},
	{"the provider shows it elsewhere once it is asked", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		n := 0
		o.shows = func(g *replication.Group) {
			if n++; n == 1 {
				g.Active = replication.Location{Region: "moon"}
			}
		}
		o.says()
		play(30 * time.Second)(o)
	}},
	{"the provider does not tell where it is once it is asked", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		n := 0
		o.shows = func(g *replication.Group) {
			if n++; n == 1 {
				g.Active = replication.Location{}
			}
		}
		o.says()
		play(30 * time.Second)(o)
	}},
	{"the provider tells an older synchronisation once it is asked", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		n := 0
		o.shows = func(g *replication.Group) {
			if n++; n == 1 {
				g.LastSync = g.LastSync.Add(-time.Hour)
			}
		}
		o.says()
		play(30 * time.Second)(o)
	}},
	{"the provider shows it there, and still at it, once it is asked", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		n := 0
		o.shows = func(g *replication.Group) {
			n++
			g.Active = azB
			switch n {
			case 1:
				g.State = replication.Switching
			case 2:
				g.State = replication.Changing
			case 3:
				g.State = replication.Unknown
			default:
				g.Active = azA
			}
		}
		o.says()
		play(time.Minute)(o)
	}},
	{"it is frozen while the provider is read", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = first("read", func() { o.ok(o.store.Freeze(context.Background(), "ann", "wait")) })
		o.says()
		stop := o.run("obs-w", o.store)
		wait(20 * time.Second)
		o.ok(o.store.Unfreeze(context.Background(), "ann", "go on"))
		wait(20 * time.Second)
		stop()
	}},
	{"it is frozen here while the provider is read", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		var frozen atomic.Pointer[replication.Freeze]
		o.set = func(opt *failover.Options) { opt.LocalFreeze = frozen.Load }
		o.at = first("read", func() {
			frozen.Store(&replication.Freeze{Who: "the file /data/FREEZE", Reason: "wait"})
			time.AfterFunc(20*time.Second, func() { frozen.Store(nil) })
		})
		o.says()
		play(time.Minute)(o)
	}},
	{"it is frozen here between the intent and the first byte", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		var frozen atomic.Pointer[replication.Freeze]
		o.set = func(opt *failover.Options) { opt.LocalFreeze = frozen.Load }
		o.at = first("intent", func() {
			frozen.Store(&replication.Freeze{Who: "the file /data/FREEZE", Reason: "wait"})
			time.AfterFunc(20*time.Second, func() { frozen.Store(nil) })
		})
		o.says()
		play(time.Minute)(o)
	}},
	{"it is aborted while the provider is read", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = first("read", o.abort)
		o.says()
		play(30 * time.Second)(o)
	}},
	{"the approval grows old while the provider is read", replication.HuaweiSDRS, replication.Approve, func(o *night) {
		o.rule(func(r *failover.Rule) { r.ApprovalTimeout = 30 * time.Second })
		o.at = first("read", func() { <-time.After(40 * time.Second) })
		o.says()
		stop := o.run("obs-w", o.store)
		wait(10 * time.Second)
		o.approve("ann")
		wait(2 * time.Minute)
		stop()
	}},
	{"the call takes longer than it may between intent and first byte", replication.HuaweiSDRS, replication.Auto, func(o *night) {
		o.at = first("intent", func() { <-time.After(3 * time.Second) })
		o.says()
		play(time.Minute)(o)
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
}

// noKeys hands out no sender.
type noKeys struct{}

func (noKeys) Sender(string) (failover.Sender, error) { return nil, errors.New("no such file") }
