// Package api is the JSON that drwatch's HTTP API speaks, as types: what the
// server writes and its clients read. Times are RFC 3339 in UTC, durations
// seconds. It holds no behaviour.
package api

import (
	"encoding/json"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// Envelope is around every answer, as in the Prometheus API.
type Envelope struct {
	Status    string          `json:"status"` // "success" or "error"
	Data      json.RawMessage `json:"data,omitempty"`
	ErrorType string          `json:"errorType,omitempty"`
	Error     string          `json:"error,omitempty"`
}

// Status is GET status.
type Status struct {
	Version   string              `json:"version"`
	Observer  string              `json:"observer"`
	Site      string              `json:"site"`
	Mode      replication.Mode    `json:"mode"` // the daemon's ceiling
	StartedAt time.Time           `json:"started_at"`
	Ready     bool                `json:"ready"`
	NotReady  []string            `json:"not_ready,omitempty"` // why not
	Leader    string              `json:"leader,omitempty"`
	Leads     bool                `json:"leads"`
	Freeze    *replication.Freeze `json:"freeze"` // of all observers; null when not frozen
	// LocalFreeze is what beside this observer stops it, and it alone.
	LocalFreeze *replication.Freeze `json:"local_freeze,omitempty"`
	Store       Store               `json:"store"`
	// Fitness is whether this observer can vouch for itself.
	Fitness  []replication.Condition `json:"fitness"`
	Accounts []Account               `json:"accounts"`
	Sites    []Site                  `json:"sites"`
	// EvaluatedAt is the end of the last complete round, zero before the first.
	EvaluatedAt time.Time `json:"evaluated_at,omitzero"`
	// OpenIncidents counts the incidents that have not ended, by what they wait for.
	OpenIncidents []OpenIncidents `json:"open_incidents"`
	LatchedGroups int             `json:"latched_groups"` // groups that wait for an ack
	// Notes are what a person should know before an outage does: observers that are
	// lost, or differ from this one.
	Notes []string `json:"notes"`
}

// OpenIncidents are those that are in one phase, held by one thing.
type OpenIncidents struct {
	Phase  replication.Phase `json:"phase"`
	HeldBy string            `json:"held_by,omitempty"`
	Count  int               `json:"count"`
}

// Store is the state of the coordination store.
type Store struct {
	Joined   bool   `json:"joined"`
	Restarts int    `json:"restarts"`
	Error    string `json:"error,omitempty"`
	// ReadAt is when all of it was last read; zero: never since the start, so that
	// this observer knows of nothing but what it has archived.
	ReadAt time.Time `json:"read_at,omitzero"`
}

// Account is one account's polling.
type Account struct {
	Name        string               `json:"name"`
	Provider    replication.Provider `json:"provider"`
	Up          bool                 `json:"up"`
	Groups      int                  `json:"groups"`
	LastSuccess time.Time            `json:"last_success,omitzero"`
	Error       string               `json:"error,omitempty"`
	// ToldBy is the end that the last complete poll was answered by; "" before.
	ToldBy replication.Side `json:"told_by,omitempty"`
}

// Site is one site as this observer sees it.
type Site struct {
	Name      string    `json:"name"`
	Reachable *bool     `json:"reachable"` // null: not probed, or not known
	Since     time.Time `json:"since,omitzero"`
	Probes    []Probe   `json:"probes"`
}

// Probe is the last result of one probe.
type Probe struct {
	Name            string    `json:"name"`
	Success         bool      `json:"success"`
	At              time.Time `json:"at,omitzero"`
	DurationSeconds float64   `json:"duration_seconds"`
	Detail          string    `json:"detail,omitempty"`
}

// Group is one replication group.
type Group struct {
	Account       string                  `json:"account"`
	Group         string                  `json:"group"`
	Provider      replication.Provider    `json:"provider"`
	Name          string                  `json:"name"`
	Region        string                  `json:"region"`
	SourceSite    string                  `json:"source_site"` // production at the creation; never changes
	TargetSite    string                  `json:"target_site"` // where production would go now; not the metrics' target_site
	ActiveSite    string                  `json:"active_site"`
	State         replication.State       `json:"state"`
	RawStatus     string                  `json:"raw_status"`
	FailoverReady bool                    `json:"failover_ready"`
	Conditions    []replication.Condition `json:"conditions"`
	LagSeconds    *float64                `json:"lag_seconds"` // null when the provider tells none
	LastSync      time.Time               `json:"last_sync,omitzero"`
	RPOSeconds    *float64                `json:"rpo_objective_seconds"`
	ReadAt        time.Time               `json:"read_at"`
	ToldBy        replication.Side        `json:"told_by"` // the end that it was read from
	Latched       string                  `json:"latched,omitempty"`
	OpenIncident  string                  `json:"open_incident,omitempty"`
}

// Rule is one rule with what it sees.
type Rule struct {
	Name    string           `json:"name"`
	Hash    string           `json:"hash"`
	Mode    replication.Mode `json:"mode"`
	Expr    string           `json:"expr"`
	For     float64          `json:"for_seconds"`
	Error   string           `json:"error,omitempty"`
	Targets []RuleTarget     `json:"targets"`
}

// RuleTarget is one group under a rule.
type RuleTarget struct {
	Account  string                  `json:"account"`
	Group    string                  `json:"group"`
	Name     string                  `json:"name"`
	State    string                  `json:"state"` // inactive, pending, firing
	Since    time.Time               `json:"since,omitzero"`
	Value    float64                 `json:"value"`
	Act      bool                    `json:"act"` // every condition holds
	Mode     replication.Mode        `json:"mode"`
	Blocking []replication.Condition `json:"blocking"`
}

// Explanation is why a group has or has not been failed over by one rule: every
// condition, true or not, and every vote.
type Explanation struct {
	Rule       string                  `json:"rule"`
	Mode       replication.Mode        `json:"mode"`
	State      string                  `json:"state"`
	Since      time.Time               `json:"since,omitzero"`
	Value      float64                 `json:"value"`
	Act        bool                    `json:"act"`
	Conditions []replication.Condition `json:"conditions"`
	// Nearest are the changes that would flip the answer, the smallest first. A no
	// needs all of them; of a yes each alone would make a no.
	Nearest  []Change           `json:"nearest"`
	Votes    []replication.Vote `json:"votes"`
	Incident string             `json:"incident,omitempty"`
	HeldBy   string             `json:"held_by,omitempty"`
}

// Change would flip the verdict of one condition.
type Change struct {
	Condition string `json:"condition"`
	Change    string `json:"change"` // for a person, with numbers
}

// Explain is GET explain.
type Explain struct {
	Group Group         `json:"group"`
	Rules []Explanation `json:"rules"`
	Notes []string      `json:"notes"` // what no rule says: no rule targets it, the store is not known, …
}

// Incident is GET incidents/{id}: the record and its journal.
type Incident struct {
	replication.Incident
	Journal []replication.Entry `json:"journal"`
}

// Reason is the body of every mutating call.
type Reason struct {
	Reason string `json:"reason"`
	Who    string `json:"who,omitempty"`
	// StoreWasReset, with unfreeze only: the coordination store is another one
	// than before, or older, and a person says that this is right.
	StoreWasReset bool `json:"store_was_reset,omitempty"`
}

// Frozen is the answer to POST freeze.
type Frozen struct {
	// Already is the freeze that was in force before, and stays; null: there was none.
	Already *replication.Freeze `json:"already"`
}

// Unfrozen is the answer to POST unfreeze.
type Unfrozen struct {
	Lifted *replication.Freeze `json:"lifted"` // null: nothing was frozen
}

// Observer is one observer of the cluster.
type Observer struct {
	replication.Observer
	Leads bool `json:"leads"`
}

// Ask is the body of POST actions: what a person wants done to a group.
type Ask struct {
	Account string             `json:"account,omitempty"` // may be left out when the group's name or id is unique
	Group   string             `json:"group"`
	Action  replication.Action `json:"action"`
	Reason  string             `json:"reason"`
	Who     string             `json:"who,omitempty"`
	DryRun  bool               `json:"dry_run"`
	// Active is where production is in the plan that the person has seen; the
	// action is refused when it has moved since. "" asks for no such check.
	Active string `json:"active,omitempty"`
	// Drill is the id of the drill to clear; it may be left out when there is one.
	Drill string `json:"drill,omitempty"`
}

// Asked is the answer to POST actions.
type Asked struct {
	Plan Plan `json:"plan"`
	// Incident is what was started; null for a dry run.
	Incident *replication.Incident `json:"incident"`
}

// Plan is what an action would do, judged at this moment.
type Plan struct {
	Account    string                  `json:"account"`
	Provider   replication.Provider    `json:"provider"`
	Group      string                  `json:"group"`
	Name       string                  `json:"name"`
	Action     replication.Action      `json:"action"`
	Active     string                  `json:"active"` // where production is
	To         string                  `json:"to"`     // where it will be
	State      replication.State       `json:"state"`
	RawStatus  string                  `json:"raw_status"`
	LagSeconds *float64                `json:"lag_seconds"` // null when the provider tells none
	OK         bool                    `json:"ok"`          // every condition holds
	Conditions []replication.Condition `json:"conditions"`
	Steps      []PlanStep              `json:"steps"`
	Notes      []string                `json:"notes"`
	Drill      string                  `json:"drill,omitempty"` // the drill that would be cleared
	// Drills are those that the group has; only of an action on drills.
	Drills []Drill `json:"drills,omitempty"`
}

// Drill is one drill of a group.
type Drill struct {
	ID     string                 `json:"id"`
	Name   string                 `json:"name,omitempty"` // "" where drills have none
	Status string                 `json:"status"`         // the provider's own word
	State  replication.DrillState `json:"state"`
	// Incident is what started it, where its name tells.
	Incident string `json:"incident,omitempty"`
}

// PlanStep is one call of a plan. Ready is judged again before the call; of the
// first step it is judged now.
type PlanStep struct {
	Action replication.Action      `json:"action"`
	Call   string                  `json:"call"`
	Ready  []replication.Condition `json:"ready"`
	Waits  []replication.Condition `json:"waits"` // waited for
}
