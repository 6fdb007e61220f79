package failover_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

// stunned is a machine that stands still before its request leaves, until the leader
// key is gone.
type stunned struct {
	*quorumtest.Store
	on atomic.Bool
}

func (s *stunned) Read(ctx context.Context) (replication.Cluster, error) {
	if s.on.Load() {
		<-time.After(16 * time.Second) // SIGSTOP / VM stun before the request leaves
		c, err := s.Store.Read(ctx)
		if c.Leader == nil {
			s.on.Store(false)
		}
		return c, err
	}
	return s.Store.Read(ctx)
}

// TestALeaderKeyThatIsGoneWhenTheStoreIsRead: the machine stands still between asking
// who leads and reading the store, with a take-over due.
func TestALeaderKeyThatIsGoneWhenTheStoreIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		first, hang := w.store.Join(time.Now, "obs-w", "witness"), make(chan struct{})
		var dead atomic.Bool
		_, stop := w.observe(first, func(step string) {
			if step == "claimed" && dead.CompareAndSwap(false, true) {
				first.Suspend(time.Hour)
				<-hang
			}
		})
		wait(50 * time.Millisecond)
		second := w.store.Join(time.Now, "obs-2", "az-b")
		stun := &stunned{Store: second}
		c, stopSecond := w.controller(func(o *failover.Options) {
			o.Observer, o.Site, o.Store, o.Session, o.Upkeep, o.Rules = "obs-2", "az-b", stun, second, second, w.votesAs("obs-2", "az-b")
		})
		for !c.State().Leads {
			wait(100 * time.Millisecond)
		}
		stun.on.Store(true)
		wait(3 * time.Minute)
		go stop()
		close(hang)
		wait(time.Minute)
		stopSecond()
		if calls, effects := w.cloud.count(); calls != 1 || effects != 1 {
			t.Errorf("%d calls, %d effects; want one each: %v", calls, effects, w.events())
		}
	})
}

// far is a store that is 20 ms away, as between sites.
type far struct{ *quorumtest.Store }

func (s far) Write(ctx context.Context, w replication.Write) (replication.IncidentRecord, error) {
	<-time.After(20 * time.Millisecond)
	return s.Store.Write(ctx, w)
}

// TestStartsPerHourHoldOverAll: five groups at once, one start an hour.
func TestStartsPerHourHoldOverAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTiers(t, 5)
		x.first.MaxPerHour = 1
		_, stop := x.controller(func(o *failover.Options) { o.Rules, o.Reader, o.Senders, o.Store = x, x, x, far{x.store} })
		wait(10 * time.Minute)
		stop()
		calls := 0
		for id, c := range x.clouds {
			if n, _ := c.count(); x.rule[id] == "data" {
				calls += n
			}
		}
		if calls != 1 {
			t.Errorf("%d failovers of the rule within 10m, max_per_hour is 1", calls)
		}
	})
}

// hiding shows only some groups until later: their account has not been read.
type hiding struct {
	*tiers
	until time.Time
	hide  string
}

func (h hiding) Evaluate(ctx context.Context) (failover.Evaluation, error) {
	out, err := h.tiers.Evaluate(ctx)
	if time.Now().Before(h.until) {
		out.AllPolled = false
		for i := range out.Rules {
			var left []failover.Target
			for _, tg := range out.Rules[i].Targets {
				if tg.Group.Key.ID != h.hide {
					left = append(left, tg)
				}
			}
			out.Rules[i].Targets = left
		}
		var gs []replication.Group
		for _, g := range out.Groups {
			if g.Key.ID != h.hide {
				gs = append(gs, g)
			}
		}
		out.Groups = gs
	}
	return out, err
}

// TestTiersAreNotFixedFromAPartOfTheAccounts: the first claim of a loss is made by a
// leader that has not read one account yet.
func TestTiersAreNotFixedFromAPartOfTheAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTiers(t, 3)
		h := hiding{tiers: x, until: time.Now().Add(5 * time.Minute), hide: "data-002"}
		_, stop := x.controller(func(o *failover.Options) { o.Rules, o.Reader, o.Senders = h, x, x })
		wait(4 * time.Minute)
		app, _ := x.clouds["app"].count()
		data, _ := x.clouds["data-002"].count()
		if app > 0 {
			t.Errorf("the application was failed over (%d calls) while data-002, a target of the tier before it, was not (%d calls)", app, data)
		}
		wait(6 * time.Minute)
		stop()
		cluster, _ := x.store.Read(context.Background())
		var at, last time.Time
		for _, rec := range cluster.Incidents {
			if rec.Rule == "apps" {
				at = rec.ExecutedAt
			} else if rec.EndedAt.After(last) {
				last = rec.EndedAt
			}
		}
		if at.Before(last) {
			t.Errorf("application at %s, last data at %s", at, last)
		}
	})
}

// TestAnIntentWithoutAnAnswer: it is committed, its answer is lost, and the store is
// away for a while. Nothing was sent, and this process knows it.
func TestAnIntentWithoutAnAnswer(t *testing.T) {
	for _, away := range []time.Duration{time.Second, 5 * time.Second, 8 * time.Second, 13 * time.Second} {
		t.Run(away.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, replication.HuaweiDWS, replication.Auto)
				var once atomic.Bool
				_, stop := w.observe(w.store, func(step string) {
					if step == "read" && once.CompareAndSwap(false, true) {
						w.store.LoseAnswerAndConnection("write")
						time.AfterFunc(away, w.store.Heal)
					}
				})
				wait(5 * time.Minute)
				stop()
				if calls, effects := w.cloud.count(); calls != 1 || effects != 1 {
					t.Errorf("%d calls, %d effects, %s (%s); want one each", calls, effects, w.only().Phase, w.only().Error)
				}
			})
		})
	}
}

// TestAnAnswerIsKeptUntilItCanBeTold: the leader is cut off right after its intent and
// stopped for so long that it sends nothing; it is back after the incident was taken
// over.
func TestAnAnswerIsKeptUntilItCanBeTold(t *testing.T) {
	for _, away := range []time.Duration{30 * time.Second, 2 * time.Minute} {
		t.Run(away.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, replication.HuaweiDWS, replication.Auto)
				w.closeWithin = 5 * time.Hour
				time.Sleep(time.Minute)
				first := w.store.Join(time.Now, "obs-w", "witness")
				var once atomic.Bool
				_, stop := w.observe(first, func(step string) {
					if step == "intent" && once.CompareAndSwap(false, true) {
						first.Disconnect(errors.New("cut off"))
						time.Sleep(3 * time.Second)
						time.AfterFunc(away, first.Heal)
					}
				})
				wait(500 * time.Millisecond)
				second := w.store.Join(time.Now, "obs-2", "az-b")
				_, stopSecond := w.controller(func(o *failover.Options) {
					o.Observer, o.Site, o.Store, o.Session, o.Upkeep, o.Lates, o.Rules = "obs-2", "az-b", second, second, second, second, w.votesAs("obs-2", "az-b")
				})
				wait(10 * time.Minute)
				stop()
				stopSecond()
				if calls, effects := w.cloud.count(); calls != 1 || effects != 1 {
					t.Errorf("%d calls, %d effects, %s (%s); want one each: %v", calls, effects, w.only().Phase, w.only().Error, w.events())
				}
			})
		})
	}
}

// TestAChangeThatCouldNotBeWrittenIsRemembered: the group changes after an unknown
// call, for as long as the store is away.
func TestAChangeThatCouldNotBeWrittenIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		w.cloud.group.Pairs = map[string]int{"protected": 3}
		s := w.store.Join(time.Now, "obs-w", "witness")
		w.cloud.answers = []func(*cloud) failover.Sent{func(c *cloud) failover.Sent {
			later(c, 10*time.Second, func() {
				s.Disconnect(errors.New("no majority"))
				c.group.Pairs = map[string]int{"protected": 2, "failing-over": 1}
			})
			later(c, 19*time.Second, func() { c.group.Pairs = map[string]int{"protected": 3} })
			later(c, 20*time.Second, func() { s.Heal() })
			return failover.Sent{Outcome: replication.Uncertain, Err: errors.New("reset")}
		}}
		_, stop := w.observe(s, nil)
		wait(time.Hour)
		stop()
		if calls, _ := w.cloud.count(); calls != 1 || w.only().Phase != replication.Ambiguous {
			t.Errorf("%d calls, %s; want one, ambiguous: %v", calls, w.only().Phase, w.events())
		}
	})
}

// TestTheEndOfAnEpisodeIsNotThatOfAnother: a leader has read that an episode is over
// and is stopped before it writes so. Meanwhile that one ended, and a person aborted
// another incident.
func TestTheEndOfAnEpisodeIsNotThatOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Approve)
		_, stop := w.observe(w.store, nil)
		wait(10 * time.Second)
		first := w.only().ID
		if err := w.store.Abort(context.Background(), first, "sre", "not now"); err != nil {
			t.Fatal(err)
		}
		wait(10 * time.Second)
		var key string
		for _, k := range w.store.Keys() {
			if strings.Contains(k, "/episode/") {
				key = k
			}
		}
		w.store.BeforeNext("episode", func() {
			// What the other leader and the person have written in the meantime.
			was := w.store.RawAt(key)
			if err := w.store.Raw(key, strings.Replace(was, first, "20000101t000500-newerone", 1)); err != nil {
				t.Error(err)
			}
			w.rules.mu.Lock()
			w.rules.verdict, w.rules.untrue = replication.Go, time.Time{} // true again
			w.rules.mu.Unlock()
		})
		w.rules.quiet()
		wait(30 * time.Second)
		wait(time.Minute)
		stop()
		if n := len(w.incidents()); n != 1 {
			t.Errorf("%d incidents: the rule has begun anew although a person aborted the newer one (%q)", n, w.store.RawAt(key))
		}
	})
}

// flapping is a guard that goes to and fro.
type flapping struct {
	*rules
	every time.Duration
}

func (f flapping) Evaluate(ctx context.Context) (failover.Evaluation, error) {
	out, err := f.rules.Evaluate(ctx)
	ok := time.Now().Unix()/int64(f.every.Seconds())%2 == 0
	for i := range out.Rules {
		for j := range out.Rules[i].Targets {
			out.Rules[i].Targets[j].Guards = []replication.Condition{{Name: "expr", Value: "30.2", Threshold: "drwatch_replication_lag_seconds < 30", OK: ok}}
		}
	}
	return out, err
}

// TestTheJournalOfAHeldIncidentStaysSmall: a guard goes to and fro while it waits for
// a person.
func TestTheJournalOfAHeldIncidentStaysSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Approve)
		w.every = time.Second
		_, stop := w.controller(func(o *failover.Options) { o.Rules = flapping{w.rules, 5 * time.Second} })
		wait(50 * time.Minute)
		stop()
		n := 0
		for _, k := range w.store.Keys() {
			if strings.Contains(k, "/journal/") {
				n++
			}
		}
		if n > 150 {
			t.Errorf("%d entries in 50 minutes", n)
		}
	})
}

// polled is a group as a poll has shown it.
type polled struct {
	g    func() replication.Group
	rule failover.Rule
}

func (p polled) Evaluate(context.Context) (failover.Evaluation, error) {
	return failover.Evaluation{At: time.Now(), AllPolled: true, Rules: []failover.RuleView{{Rule: p.rule}}, Groups: []replication.Group{p.g()}}, nil
}

// TestAPollFromBeforeAMoveIsNoMove: an observer whose clock is behind has ended a
// person's switchover; the next leader's poll is from before it.
func TestAPollFromBeforeAMoveIsNoMove(t *testing.T) {
	for _, behind := range []time.Duration{0, 10 * time.Second, time.Hour} {
		t.Run(behind.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, replication.AliyunEBS, replication.Auto)
				time.Sleep(2 * time.Hour)
				key := w.cloud.group.Key
				// What operationEnd writes after a person's switchover A -> B, at obs-a whose clock is behind.
				err := w.store.PutGroup(context.Background(), key, replication.GroupRecord{
					Active: azB, LastAction: &replication.LastAction{Incident: "i", Action: replication.Switchover, At: time.Now().Add(-behind)},
				})
				if err != nil {
					t.Fatal(err)
				}
				old := w.cloud.group // from a poll 5 s before the end of the switchover
				old.ReadAt = time.Now().Add(-5 * time.Second)
				fresh := old
				fresh.Active = azB
				start := time.Now()
				src := polled{rule: w.rules.rule, g: func() replication.Group {
					if time.Since(start) < 20*time.Second {
						return old
					}
					f := fresh
					f.ReadAt = time.Now()
					return f
				}}
				_, stop := w.controller(func(o *failover.Options) { o.Rules = src })
				wait(time.Minute)
				stop()
				if l := w.record().Latch; l != nil {
					t.Errorf("latched: %s; last action %+v", l.Why, w.record().LastAction)
				}
			})
		})
	}
}

// TestAReasonThatCouldNotBeWrittenIsWrittenSoon: what holds an incident changes, and
// the store takes the change only at the second try.
func TestAReasonThatCouldNotBeWrittenIsWrittenSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Approve)
		w.every = time.Second
		_, stop := w.controller(func(o *failover.Options) { o.Rules = flapping{w.rules, 20 * time.Second} })
		wait(19 * time.Second)
		if i := w.only(); i.HeldBy != "approval" {
			t.Fatalf("held by %s, want approval", i.HeldBy)
		}
		w.store.FailNext("write", errors.New("no answer"))
		wait(10 * time.Second)
		stop()
		if i := w.only(); i.HeldBy != "expr" {
			t.Errorf("held by %s, want expr: the write that failed was taken for one that stands", i.HeldBy)
		}
	})
}

// TestAnotherObserversClockMakesNoSilence: the last move was written by an observer
// whose clock is an hour ahead; that its group waits is told all the same.
func TestAnotherObserversClockMakesNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, replication.HuaweiSDRS, replication.Auto)
		var told strings.Builder
		w.log = slog.New(slog.NewTextHandler(&told, nil))
		err := w.store.PutGroup(context.Background(), w.cloud.group.Key, replication.GroupRecord{
			Active: azA, Latch: &replication.Latch{Why: "failed"}, LastAction: &replication.LastAction{Action: replication.Failover, At: time.Now().Add(time.Hour)},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, stop := w.observe(w.store, nil)
		wait(5 * time.Minute)
		stop()
		if !strings.Contains(told.String(), "nothing is executing") {
			t.Error("the trigger is true for five minutes, nothing executes, and nothing was told")
		}
	})
}
