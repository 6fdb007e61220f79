// Package provider is what drwatch asks of any cloud: list the groups of an
// account, read one group again, act on it, and track what was started. It
// holds the outcome classes of a mutating call and the one RoundTripper that
// every SDK call goes through. The vendors' own words live in its
// sub-packages; nothing here knows a vendor.
package provider

import (
	"context"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// Listing is what one complete poll of an account found.
type Listing struct {
	Groups []replication.Group
	// Bad counts items or fields that could not be read, by field name; the
	// items around them are still in Groups (tolerant reading).
	Bad map[string]int
}

// Reader reads an account. It has no method that changes anything: a dry run is
// given a Reader and nothing else. Safe for concurrent use.
type Reader interface {
	// List reads all groups of the account. An error means the poll is not
	// complete and its Listing must not replace the last good one.
	List(ctx context.Context) (Listing, error)
	// Read reads one group afresh, with its preconditions. ErrNotFound when the
	// provider does not know it.
	Read(ctx context.Context, id string) (replication.Group, error)
	// Track tells how far a failover has come. jobID is what the call returned,
	// "" when the provider gives none or it was lost.
	Track(ctx context.Context, id, jobID string) (Progress, error)
}

// FactReader is a Reader that also knows what changes slowly. It is asked much
// less often than List. Safe for concurrent use.
type FactReader interface {
	// SlowFacts reads what the provider tells of quotas, drills, failed jobs, breaches
	// and expiries. What it does not tell is nil or empty, never zero. With an error,
	// what is not nil was read all the same and replaces what was known of it; what
	// is nil could not be read, and what was known of it stays.
	SlowFacts(ctx context.Context) (SlowFacts, error)
}

// SlowFacts is what changes slowly, of one account.
type SlowFacts struct {
	Quotas   []Quota
	Expiries []Expiry
	// Drills counts drills by group and the provider's status. An entry of no group
	// counts no drills, but groups whose drills could not be read.
	Drills     []GroupCount
	FailedJobs []GroupCount // failed jobs that the provider still lists, by group and kind
	// Breaches is how many pairs the provider's own statistics count as over their
	// RPO at the newest point in time, nil when it keeps none.
	Breaches *int
}

// Quota is one resource's limit and use. A nil Limit is unlimited.
type Quota struct {
	Resource string
	Limit    *float64
	Used     float64
}

// Expiry is when a prepaid pair stops replicating unless it is renewed.
type Expiry struct {
	GroupID string
	Pair    string
	At      time.Time
}

// GroupCount is a number of things of one kind in one group; GroupID is "" for
// what belongs to no group.
type GroupCount struct {
	GroupID string
	Kind    string
	Count   int
}

// Progress is one look at a failover under way.
type Progress struct {
	// Group is the group after the job was looked at; the zero Group while the job
	// runs and the provider was not asked for more.
	Group replication.Group
	// Job is the state of the provider's job, where there is one.
	Job JobState
	// Detail is one line for a person: percent, job status, failure reason.
	Detail string
}

// JobState is the state of a provider's job.
type JobState string

// The job states. JobNone: the provider has no jobs, or the id is not known.
const (
	JobNone    JobState = ""
	JobRunning JobState = "running"
	JobDone    JobState = "done"
	JobFailed  JobState = "failed"
)

// Actor changes an account's groups. It is built with the account's action
// credentials, only by an observer that holds a claim.
type Actor interface {
	// Failover sends the one call. It never retries and never reads first: the
	// caller has checked the preconditions and written its intent. The Result
	// always has an outcome; Err says why it is not Accepted.
	Failover(ctx context.Context, req Request) Result
}

// Operator carries out what only a person may ask for. It is another type than
// Actor so that a rule, which is given an Actor, cannot do more than fail over.
type Operator interface {
	// Operate sends the one call of a step, as Actor.Failover does its own. A step
	// that the provider does not have is NotSent.
	Operate(ctx context.Context, step replication.Action, req Request) Result
}

// DrillReader is a Reader whose provider has drills. Safe for concurrent use.
type DrillReader interface {
	// Drills lists the drills of a group that are not cleaned up yet.
	Drills(ctx context.Context, groupID string) ([]replication.Drill, error)
}

// Request is one mutating call.
type Request struct {
	GroupID     string
	ClientToken string // idempotency token, ≤ 64 ASCII; used where the provider has one
	// Group and To, for an Operator: the group as just read, and where production
	// is to be.
	Group replication.Group
	To    replication.Location
	Drill string // the name of a drill to start, or the id of one to clear
	// BeforeFirstByte is asked with the connection and TLS up, before the first
	// byte of the request is written. An error stops the call as NotSent.
	BeforeFirstByte func() error
}

// Result is what is known of the call.
type Result struct {
	Outcome   replication.Outcome
	Status    int       // HTTP status, 0 when no response came
	RequestID string    // the provider's
	JobID     string    // "" when the provider gives none
	Date      time.Time // the provider's Date header, zero when none
	Err       error     // redacted; nil when Accepted
}

// Meter is told about every request. Safe for concurrent use; nil-safe use is
// the caller's duty: pass NopMeter{} where nothing is measured.
type Meter interface {
	// Request is called once per HTTP exchange. code is the HTTP status as text,
	// or "error" when no response came.
	Request(operation, code string, took time.Duration)
	// Throttled is called for each answer that refuses for its rate.
	Throttled(operation string)
	// DecodeError is called for each field that could not be read.
	DecodeError(u Unread)
	// ClockSkew tells provider's Date minus the local clock.
	ClockSkew(skew time.Duration)
}

// Unread is something in an answer that could not be read.
type Unread struct {
	Call  string // whose answer it is, by the vendor's name; "" where that is not known
	Field string // by the vendor's name
	Item  string // the id of the item that it stands in, or which of the page it is; "" when not known
}

// NopMeter measures nothing.
type NopMeter struct{}

// Request does nothing.
func (NopMeter) Request(string, string, time.Duration) {}

// Throttled does nothing.
func (NopMeter) Throttled(string) {}

// DecodeError does nothing.
func (NopMeter) DecodeError(Unread) {}

// ClockSkew does nothing.
func (NopMeter) ClockSkew(time.Duration) {}

// Credentials is one key pair, read just before a client is built or a request
// is signed.
type Credentials struct {
	AccessKey     string
	SecretKey     string
	SecurityToken string // "" for long-lived keys
}

// Settings is what a vendor package needs to build a Reader or an Actor.
type Settings struct {
	Account       string
	Region        string // region of the endpoint that is called
	ProjectID     string // huawei_* only
	Endpoint      string // full URL, scheme included, no path
	PrimaryZone   string // huawei_evs only: zones.primary
	SecondaryZone string // huawei_evs only: zones.secondary
	PrimaryRegion string // aliyun_ebs: the region of the production site
	Timeout       time.Duration
	TimeZone      *time.Location
	RPOObjective  *time.Duration // overrides what the provider states
	Credentials   func() (Credentials, error)
	Refused       func(Credentials) // told when the provider did not take the keys; may be nil
	Now           func() time.Time
	Meter         Meter
	UserAgent     string // "drwatch/VERSION"
	Pace          *Pace  // shared by all that calls for the account; nil bounds nothing
	Urgent        bool   // reads under a claim: they take from Pace and never wait
	// Wanted tells by a group's name whether it is watched; nil wants all. What is
	// asked group by group is asked of those only.
	Wanted func(name string) bool
}

// Wants tells whether a group of this name is watched.
func (s Settings) Wants(name string) bool { return s.Wanted == nil || s.Wanted(name) }

// Throttled notes an answer that refused for the rate with the vendor's
// documented code: it is counted, and the account's polls slow down.
func (s Settings) Throttled(operation string, ex *Exchange) {
	s.Meter.Throttled(operation)
	s.Pace.Slow(ex.Began)
}
