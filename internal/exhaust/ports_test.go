package exhaust_test

import (
	"context"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// session is the store's. What it does at each round whoever leads is done in one: the
// votes, and the heartbeat with the lease.
type session struct{ l *life }

func (s session) PublishVotes(ctx context.Context, votes []replication.Vote) error {
	s.l.through = true
	defer func() { s.l.through = false }()
	return s.l.store.PublishVotes(ctx, votes)
}

func (s session) Renew(ctx context.Context) error {
	s.l.through = true
	defer func() { s.l.through = false }()
	return s.l.store.Renew(ctx)
}

func (s session) LeaseLeftIn(rev int64) time.Duration { return s.l.store.LeaseLeftIn(rev) }

// Lead asks who leads in one with what comes before; only to write that it does, it
// waits. When another leads, this observer's read can have no effect but on what it
// knows, and is not waited for either.
func (s session) Lead(ctx context.Context) (replication.Leader, bool, error) {
	s.l.asking = true
	defer func() { s.l.asking = false }()
	lead, mine, err := s.l.store.Lead(ctx)
	s.l.passive = err == nil && !mine
	s.l.turn.note(text("leads"), rev(lead.CreateRev), yes(mine), failed(err))
	return lead, mine, err
}

func (s session) Resign(ctx context.Context) error { return s.l.store.Resign(ctx) }

// upkeep is what the leader does for the store besides incidents, in one.
type upkeep struct{ l *life }

func (u upkeep) do(f func() error) error {
	u.l.through = true
	defer func() { u.l.through = false }()
	return f()
}

func (u upkeep) Tick(ctx context.Context, elapsed time.Duration) error {
	return u.do(func() error { return u.l.store.Tick(ctx, elapsed) })
}

func (u upkeep) EndEpisode(ctx context.Context, rule string, g replication.GroupKey, incident string) error {
	return u.do(func() error { return u.l.store.EndEpisode(ctx, rule, g, incident) })
}

func (u upkeep) CloseLoss(ctx context.Context, site string, at int64) error {
	return u.do(func() error { return u.l.store.CloseLoss(ctx, site, at) })
}

func (u upkeep) PutGroup(ctx context.Context, key replication.GroupKey, rec replication.GroupRecord) error {
	return u.do(func() error { return u.l.store.PutGroup(ctx, key, rec) })
}

// incidents is the store's, and takes down what it has answered.
type incidents struct{ l *life }

func (i incidents) Read(ctx context.Context) (replication.Cluster, error) {
	who := i.l.thread(ctx)
	who.doing = " the store"
	c, err := i.l.store.Read(ctx)
	who.doing = ""
	if err != nil {
		who.note(text("not read"))
		return c, err
	}
	who.saw(c, i.l)
	if who == i.l.turn {
		i.l.knows(c)
	}
	return c, nil
}

func (i incidents) Claim(ctx context.Context, c replication.Claim) (replication.IncidentRecord, error) {
	rec, err := i.l.store.Claim(ctx, c)
	i.l.turn.note(text("claimed"), failed(err))
	return rec, err
}

func (i incidents) Write(ctx context.Context, w replication.Write) (replication.IncidentRecord, error) {
	who := i.l.thread(ctx)
	who.note(text("writes " + w.Entry.Event))
	rec, err := i.l.store.Write(ctx, w)
	who.wrote(rec, err)
	return rec, err
}

func (i incidents) TakeOver(ctx context.Context, rec replication.IncidentRecord, leader replication.Leader) (replication.IncidentRecord, error) {
	out, err := i.l.store.TakeOver(ctx, rec, leader)
	i.l.turn.note(text("took over"), failed(err))
	if err == nil {
		i.l.turn.rec = i.l.w.noteRecord(out)
		i.l.known.rec = i.l.turn.rec
	}
	return out, err
}

// lates are the store's.
type lates struct{ l *life }

func (s lates) PutLate(ctx context.Context, incident string, token int64, c replication.Call) error {
	who := s.l.thread(ctx)
	who.note(text("tells late"))
	err := s.l.store.PutLate(ctx, incident, token, c)
	who.note(failed(err))
	return err
}

func (s lates) Late(ctx context.Context, incident string) (map[int64]replication.Call, error) {
	who := s.l.thread(ctx)
	who.doing = " what came late"
	all, err := s.l.store.Late(ctx, incident)
	who.doing = ""
	who.note(text("late"), count(len(all)), failed(err))
	return all, err
}
