package policy

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/prometheus/promql"

	"github.com/drwatch/drwatch/internal/policy/rulefile"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/series"
)

// Version is the evaluator's. It goes into every rule's hash, so that observers
// that judge differently never add up; it moves whenever a verdict could differ.
const Version = "2"

// Options of an Evaluator.
type Options struct {
	Store    *series.Store
	Engine   *promql.Engine   // nil: one of its own
	Observer string           // this observer's name
	Site     string           // where it stands, "" when it stands nowhere
	Mode     replication.Mode // the ceiling over the rules' own; SetMode changes it
	Now      func() time.Time
	Logger   *slog.Logger
}

// Loaded is a rule with its hash: over the rule, what it names, and Version.
type Loaded struct {
	Rule rulefile.Rule
	Hash string
}

// Evaluator evaluates rules and keeps their hold timers. Safe for concurrent
// use; evaluations run one at a time.
type Evaluator struct {
	o      Options
	store  *series.Store
	engine *promql.Engine

	mu    sync.Mutex
	rules []*ruleState
	sites siteWatch
}

// ruleState is a rule with what it remembers between evaluations.
type ruleState struct {
	rule    rulefile.Rule
	hash    string
	program program

	cursor   uint64  // changes of the store up to here are judged
	deferred []int64 // moments that an offset moved into the future
	last     time.Time
	round    uint64
	groups   map[key]*groupState
}

// groupState is what a rule remembers of one target.
type groupState struct {
	hold    hold
	copying copying
	verdict replication.Verdict
	since   time.Time // of the verdict
	round   uint64    // the rule's round in which it last was a target
}

// tracked is a target with what the rule remembers of it.
type tracked struct {
	*Target
	state *groupState
}

// New makes an Evaluator without rules.
func New(o Options) *Evaluator {
	if o.Engine == nil {
		o.Engine = NewEngine(o.Logger)
	}
	return &Evaluator{o: o, store: o.Store, engine: o.Engine, sites: siteWatch{}}
}

// Told is t on the clock that the times of an Evaluation are told by: the wall
// clock of the start and the monotonic time since.
func (e *Evaluator) Told(t time.Time) time.Time { return e.store.Time(e.store.Milli(t)) }

// SetRules replaces the rules. A rule whose name and hash are as they were keeps
// its hold timers; any other starts anew, from now. When some rule cannot be
// evaluated nothing changes, and the error tells of all of them.
func (e *Evaluator) SetRules(rules []Loaded) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	old := map[string]*ruleState{}
	for _, r := range e.rules {
		old[r.rule.Name] = r
	}
	var next []*ruleState
	var problems []error
	for _, l := range rules {
		if r := old[l.Rule.Name]; r != nil && r.hash == l.Hash {
			next = append(next, r)
			continue
		}
		p, err := compile(l.Rule)
		if err != nil {
			problems = append(problems, err)
		}
		next = append(next, &ruleState{rule: l.Rule, hash: l.Hash, program: p, cursor: e.store.Seq(), groups: map[key]*groupState{}})
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	e.rules = next
	return nil
}

// SetMode changes the ceiling of the votes' mode, as a reload may.
func (e *Evaluator) SetMode(m replication.Mode) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.o.Mode = m
}

// Round is one call of Evaluate.
type Round struct {
	At      time.Time // with its monotonic reading
	Targets []Target  // all groups that this observer knows
	Fitness Fitness
	Rules   []string // the rules to evaluate; nil: all
}

// Evaluation is what this observer's rules say in one round.
type Evaluation struct {
	At    time.Time
	Rules []RuleResult
	// SiteUp tells for each site for how long it has been reachable without a
	// break, 0 when it is not known to be reachable now.
	SiteUp map[string]time.Duration
}

// RuleResult is what one rule says. With Err the trigger is unknown: no timer
// moved, and no target has a go.
type RuleResult struct {
	Rule    rulefile.Rule
	Hash    string
	Err     error
	Took    time.Duration
	Fitness []replication.Condition // of this observer, for this rule's `for`
	Targets []TargetResult          // the groups that the rule's targets match
}

// TargetResult is what one rule says of one group.
type TargetResult struct {
	Target Target
	// Vote is this observer's; its Verdict is "" when the trigger is not true
	// and nothing speaks against it either.
	Vote  replication.Vote
	State string    // "pending" or "firing" while the trigger is true, else ""
	Since time.Time // since when the trigger is true; zero when it is not
	Value float64   // of the trigger

	// LastGood is the last moment the lost site was known to be reachable, or
	// else the trigger known to be false. Zero when never. Unwatched: no sample told
	// when that ended, and LastGood is the first look behind that stretch, up to which
	// production may have been good.
	LastGood  time.Time
	Unwatched bool
	// UntrueFor is how long the trigger has been known false without a break.
	UntrueFor time.Duration
	// Guards are the rule's expressions and time intervals.
	Guards []replication.Condition
	// GuardsUnknown names those of them that cannot be judged: they could not be
	// evaluated, or no fresh sample is there.
	GuardsUnknown []string
}

// The states of a hold timer, as drwatch_rule_active names them.
const (
	StatePending = "pending"
	StateFiring  = "firing"
)

// Evaluate evaluates rules at one moment, and looks at every sample that came
// since each was last evaluated.
func (e *Evaluator) Evaluate(ctx context.Context, round Round) Evaluation {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := e.store.Milli(round.At)
	e.sites.update(e.store, at)
	out := Evaluation{At: round.At, SiteUp: e.sites.up(at)}
	for _, r := range e.rules {
		if round.Rules != nil && !slices.Contains(round.Rules, r.rule.Name) {
			continue
		}
		out.Rules = append(out.Rules, e.evaluate(ctx, r, round, at))
	}
	return out
}

func (e *Evaluator) evaluate(ctx context.Context, r *ruleState, round Round, at int64) RuleResult {
	start := e.o.Now()
	res := RuleResult{Rule: r.rule, Hash: r.hash, Fitness: round.Fitness.Conditions(round.At, r.rule.For)}
	targets := r.match(round.Targets)
	res.Err = e.advance(ctx, r, targets, at)
	if res.Err != nil {
		e.o.Logger.Warn("a rule could not be evaluated; its votes abstain", "rule", r.rule.Name, "err", res.Err)
	}
	r.last = round.At
	if len(targets) > 0 {
		side := e.sideEvidence(ctx, r, at)
		guards := e.askGuards(ctx, r, at)
		res.Targets = make([]TargetResult, 0, len(targets))
		for _, t := range targets {
			res.Targets = append(res.Targets, e.judge(r, t, round.At, at, &res, side, guards))
		}
	}
	res.Took = e.o.Now().Sub(start)
	return res
}

// match is the targets of the rule now. What is no target any more is
// forgotten: when it comes back it starts anew.
func (r *ruleState) match(all []Target) []tracked {
	r.round++
	var out []tracked
	for i := range all {
		t := &all[i]
		if !t.matches(r.rule.Targets) {
			continue
		}
		state := r.groups[t.key()]
		if state == nil {
			state = &groupState{}
			r.groups[t.key()] = state
		}
		state.round = r.round
		out = append(out, tracked{t, state})
	}
	for k, state := range r.groups {
		if state.round != r.round {
			delete(r.groups, k)
		}
	}
	return out
}
