package failover

import (
	"context"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// Store is the coordination store as the Controller reads it and claims in it.
// Reads are linearizable, at one revision.
type Store interface {
	Read(ctx context.Context) (replication.Cluster, error)
	Claim(ctx context.Context, c replication.Claim) (replication.IncidentRecord, error)
	Write(ctx context.Context, w replication.Write) (replication.IncidentRecord, error)
	TakeOver(ctx context.Context, rec replication.IncidentRecord, leader replication.Leader) (replication.IncidentRecord, error)
}

// Session is this observer's standing in the store: its lease, its votes, its
// leadership. The evaluation loop renews the lease itself, after each complete
// round, so that a stalled loop loses it.
type Session interface {
	Renew(ctx context.Context) error
	// LeaseLeftIn is how long the lease lives at least, and 0 unless this observer
	// leads by that very election: a step must not borrow a later one's lease.
	LeaseLeftIn(leaderRev int64) time.Duration
	Lead(ctx context.Context) (replication.Leader, bool, error)
	// Resign gives the leadership up, if this observer has it.
	Resign(ctx context.Context) error
	PublishVotes(ctx context.Context, votes []replication.Vote) error
}

// Upkeep is what the leader does for the store besides incidents.
type Upkeep interface {
	Tick(ctx context.Context, elapsed time.Duration) error
	EndEpisode(ctx context.Context, rule string, g replication.GroupKey, incident string) error
	CloseLoss(ctx context.Context, site string, rev int64) error
	PutGroup(ctx context.Context, key replication.GroupKey, rec replication.GroupRecord) error
}

// Rules evaluates the rules once, on this observer's own evidence.
type Rules interface {
	Evaluate(ctx context.Context) (Evaluation, error)
}

// Reader reads one group afresh from its provider. It has no method that
// changes anything: a rehearsal is given this and nothing else.
type Reader interface {
	Read(ctx context.Context, key replication.GroupKey) (replication.Group, error)
	Track(ctx context.Context, key replication.GroupKey, jobID string) (Progress, error)
}

// Progress is one look at a failover under way.
type Progress struct {
	Group     replication.Group // the zero Group while only the job was looked at
	JobFailed bool
	JobDone   bool
	Detail    string
}

// Senders hands out what may send, per account. Acting credentials are loaded
// here, so only under a claim.
type Senders interface {
	Sender(account string) (Sender, error)
}

// Sender sends one mutating call, once.
type Sender interface {
	Failover(ctx context.Context, o Order) Sent
}

// Handbook knows what an action consists of at each provider. It is pure.
type Handbook interface {
	// Procedure judges the action's steps on a group as just read. The error is
	// replication.ErrNoSuchAction where the provider has none.
	Procedure(a replication.Action, g replication.Group, inc replication.Incident) (replication.Procedure, error)
}

// Drills lists the drills of a group; none where the provider has none.
type Drills interface {
	Drills(ctx context.Context, key replication.GroupKey) ([]replication.Drill, error)
}

// Sites tells what this observer's own probes see.
type Sites interface {
	// Reachable is the site that a place stands in, "" for none, and whether the
	// site answers; known is false when nothing probes it or no result is fresh.
	Reachable(l replication.Location) (site string, up, known bool)
}

// Operators hands out what carries out a person's actions, per account. Like
// Senders it loads acting credentials. A rule's incident is never given one.
type Operators interface {
	Operator(account string) (Operator, error)
}

// Operator sends the one call of a step, once.
type Operator interface {
	Operate(ctx context.Context, step replication.Action, o Operation) Sent
}

// Operation is one call of a person's action.
type Operation struct {
	Order
	Group replication.Group    // as just read
	To    replication.Location // where production is to be
	Drill string               // the drill to clear
}

// Order is one call to send.
type Order struct {
	Group    replication.GroupKey
	Incident string
	// BeforeFirstByte is asked with the connection up, before the first byte; an
	// error means nothing leaves.
	BeforeFirstByte func() error
}

// Sent is what is known of a call.
type Sent struct {
	Outcome   replication.Outcome
	Status    int
	RequestID string
	JobID     string
	Err       error
}

// Fact is one durable change of an incident, told after it was written.
type Fact struct {
	Incident replication.Incident
	Entry    replication.Entry
}
