package replication

import (
	"errors"
	"time"
)

// PersonRule stands in an incident where the rule's name would: a person asked
// for it. No rule can be named so.
const PersonRule = "(person)"

// Person is who asked for an action, from where, and why.
type Person struct {
	Who    string    `json:"who"`
	From   string    `json:"from"` // the address the request came from
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// ErrNoSuchAction is returned for an action that a provider does not have, or
// that drwatch never calls.
var ErrNoSuchAction = errors.New("this provider has no such action")

// Procedure is what an action consists of at one provider: its steps in order,
// each judged on the group as it was read and on what the incident has done.
type Procedure struct {
	Steps []Step
	// Notes are sentences for the person who is about to ask for it: what it costs,
	// what the provider wants that its API does not tell.
	Notes []string
}

// Step is one mutating call of a procedure, and what it needs and proves.
type Step struct {
	Action Action
	Call   string // the vendor's name of the call
	// Ready must hold before the call.
	Ready []Condition
	// Waits must hold too, and come true by themselves: they are waited for.
	Waits []Condition
	// Done: the group already shows what the call would bring about.
	Done bool
	// Failed says why, when the group is in a status that only this step's failure
	// leaves behind; "" otherwise.
	Failed string
}

// Drill is one disaster recovery drill of a group.
type Drill struct {
	ID     string
	Name   string // "" where drills have none
	Status string // the provider's own word
	State  DrillState
}

// DrillState is a drill's state in drwatch's own words.
type DrillState string

// The states of a drill.
const (
	DrillStarting DrillState = "starting"
	DrillReady    DrillState = "ready"    // its copies can be used, and are billed
	DrillClearing DrillState = "clearing" // being cleaned up
	DrillFailed   DrillState = "failed"
	DrillUnknown  DrillState = "unknown" // none of the documented values
)
