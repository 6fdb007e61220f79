package quorum

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// leaderEvery is how often the member is asked whether there is a majority.
	leaderEvery = time.Second
	// healthEvery is how often alarms and disk use are looked at.
	healthEvery = 10 * time.Second
	// roomAgain is the part of the quota, in percent, below which the database must
	// be before an alarm of no space is taken back.
	roomAgain = 80
	// tidyWithin bounds the compaction and the defragmentation after such an alarm.
	tidyWithin = time.Minute
)

// watchHealth looks at the majority, at alarms and at disk use until ctx ends.
func (m *member) watchHealth(ctx context.Context) {
	tick := time.NewTicker(leaderEvery)
	defer tick.Stop()
	var looked time.Time
	var alarm string
	for {
		if now := m.o.Now(); looked.IsZero() || now.Sub(looked) >= healthEvery {
			looked = now
			alarm = m.lookAtHealth(ctx, alarm)
		}
		m.lookForLeader(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lookAtHealth returns the alarm that it has seen; before is that of the last
// look.
func (m *member) lookAtHealth(ctx context.Context, before string) string {
	used := dirBytes(m.o.Dir)
	m.mu.Lock()
	m.status.DiskBytes = used
	cli := m.cli
	m.mu.Unlock()
	if cli == nil {
		return before
	}
	asking, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := cli.AlarmList(asking)
	if err != nil {
		return before // the next call that matters will tell
	}
	alarm := alarmOf(r)
	m.alarmed(alarm)
	// It lasts from one look to the next at least, so that it is seen.
	if noSpace := etcdserverpb.AlarmType_NOSPACE.String(); alarm == noSpace && before == noSpace {
		if m.makeRoom(ctx, cli) {
			alarm = ""
			m.alarmed(alarm)
		}
	}
	return alarm
}

// lookForLeader asks the own member whether it sees a leader: without one there
// is no majority.
func (m *member) lookForLeader(ctx context.Context) {
	m.mu.Lock()
	cli, url := m.cli, m.status.ClientURL
	m.mu.Unlock()
	if cli == nil {
		return
	}
	asking, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := cli.Status(asking, url)
	if ctx.Err() != nil {
		return // it was ended
	}
	m.mu.Lock()
	m.status.Silent = err != nil
	m.mu.Unlock()
	if err == nil {
		m.majority(r.Leader != 0)
	}
}

// majority keeps whether there is one, and tells when that changes.
func (m *member) majority(there bool) {
	m.mu.Lock()
	changed := m.status.NoMajority == there
	m.status.NoMajority = !there
	m.mu.Unlock()
	switch {
	case changed && there:
		m.o.Logger.Info("the coordination store has a majority again")
	case changed:
		m.o.Logger.Error("the coordination store has no majority", "err", errNoMajority)
	}
}

// answered keeps whether the last of the writes, or of the reads, got an answer, and
// tells when that changes. nobody is where that is kept.
func (m *member) answered(what string, nobody *bool, err error) {
	if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, rpctypes.ErrTimeout) {
		return // refused, or not sent
	}
	m.mu.Lock()
	changed := *nobody == (err == nil)
	*nobody = err != nil
	m.mu.Unlock()
	switch {
	case changed && err == nil:
		m.o.Logger.Info("the coordination store answers again", "to", what)
	case changed:
		m.o.Logger.Error("the coordination store gives no answer", "to", what, "err", err)
	}
}

// alarmed keeps etcd's alarm, "" for none, and tells when it changes.
func (m *member) alarmed(alarm string) {
	m.mu.Lock()
	before := m.status.Alarm
	m.status.Alarm = alarm
	m.mu.Unlock()
	switch {
	case before == alarm:
	case alarm == "":
		m.o.Logger.Info("the alarm of the coordination store is over", "alarm", before)
	default:
		m.o.Logger.Error("coordination store raised an alarm", "alarm", alarm)
	}
}

// makeRoom drops what the store remembers of the past, gives the space back to
// the disk, and takes the alarm of no space back when the database is clearly
// below its quota: etcd never does that by itself. Each observer does it for its
// own member; one that is still full raises the alarm again. It returns whether
// the alarm was taken back.
func (m *member) makeRoom(ctx context.Context, cli *clientv3.Client) bool {
	ctx, cancel := context.WithTimeout(ctx, tidyWithin)
	defer cancel()
	err := m.tidy(ctx, cli)
	if err != nil {
		m.o.Logger.Error("no room was made in the coordination store", "err", err)
	}
	return err == nil
}

func (m *member) tidy(ctx context.Context, cli *clientv3.Client) error {
	m.mu.Lock()
	url := m.status.ClientURL
	m.mu.Unlock()
	before, err := cli.Status(ctx, url)
	if err != nil {
		return err
	}
	after := before
	if before.DbSize*100 >= m.o.Quota*roomAgain {
		// Compacted by another observer a moment ago is as good.
		_, _ = cli.Compact(ctx, before.Header.Revision, clientv3.WithCompactPhysical())
		if _, err := cli.Defragment(ctx, url); err != nil {
			return err
		}
		if after, err = cli.Status(ctx, url); err != nil {
			return err
		}
	}
	if after.DbSize*100 >= m.o.Quota*roomAgain {
		return fmt.Errorf("it stays full: %d bytes of %d", after.DbSize, m.o.Quota)
	}
	m.o.Logger.Warn("there is room in the coordination store again", "bytes_before", before.DbSize, "bytes", after.DbSize)
	r, err := cli.AlarmList(ctx)
	if err != nil {
		return err
	}
	for _, a := range r.Alarms {
		if a.Alarm == etcdserverpb.AlarmType_NOSPACE {
			if _, err := cli.AlarmDisarm(ctx, (*clientv3.AlarmMember)(a)); err != nil {
				return err
			}
		}
	}
	return nil
}

func alarmOf(r *clientv3.AlarmResponse) string {
	for _, a := range r.Alarms {
		return a.Alarm.String()
	}
	return ""
}
