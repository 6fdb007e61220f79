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

// unmoveAndApply lets the effect come that was on its way.
func (c *cloud) unmoveAndApply() {
	c.group.Active = azA
	c.apply()
}

// atTheCall is what may happen to it from then on.
var atTheCall = []plot{
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
