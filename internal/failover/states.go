package failover

import (
	"slices"

	"github.com/drwatch/drwatch/internal/replication"
)

// Transition is one write of an incident: from the phase that was stored, "" for
// the claim, to the one that is. Rule and Person say when it is made, of an
// incident that a rule has opened and of a person's action; "" means never.
type Transition struct {
	From, To     replication.Phase
	Rule, Person string
}

// Transitions are all that an incident may make. Nothing follows an end, but that
// an acknowledgement is added to its journal. From and to the same phase is a
// write as well: what is known has changed, where the incident stands has not.
func Transitions() []Transition {
	return slices.Concat(waiting(), sending(), proving())
}

// waiting are those of an incident that has no call under way.
func waiting() []Transition {
	return []Transition{
		{
			From: "", To: replication.Open,
			Rule:   "claimed: every condition holds, at one revision of the store",
			Person: "claimed: a person asked, and nothing forbids it",
		},
		{
			From: replication.Open, To: replication.Held,
			Rule:   "a condition does not hold any more, or a person is to say yes, or may still say no",
			Person: "a condition does not hold, or the first step was done already and the next is to wait",
		},
		{
			From: replication.Held, To: replication.Held,
			Rule:   "something else holds it now, or its mode has fallen",
			Person: "something else holds it now, or a step was done already and the next is to wait",
		},
		{
			From: replication.Open, To: replication.Aborted,
			Rule:   "the evidence turned, the rule changed, or a person aborted it",
			Person: "a person aborted it, a rule needs the group, or somebody else has moved it",
		},
		{
			From: replication.Held, To: replication.Aborted,
			Rule:   "the same, or nobody approved in time",
			Person: "the same, or it was not possible in time",
		},
		{From: replication.Open, To: replication.Simulated, Rule: "dry run: all was read and decided as for a call"},
		{From: replication.Held, To: replication.Simulated, Rule: "dry run, when what held it holds it no more"},
		{
			From: replication.Open, To: replication.Verifying,
			Rule: "the provider already shows the move: nothing is sent",
		},
		{
			From: replication.Held, To: replication.Verifying,
			Rule:   "the provider already shows the move, or a call is told late to have been accepted",
			Person: "a call is told late to have been accepted",
		},
		{
			From: replication.Open, To: replication.Succeeded,
			Person: "the provider already shows all that was asked for: nothing is sent",
		},
		{
			From: replication.Held, To: replication.Succeeded,
			Person: "the provider shows the last step as done",
		},
		{
			From: replication.Open, To: replication.Failed,
			Person: "this version has other steps for the action",
		},
		{
			From: replication.Held, To: replication.Failed,
			Rule:   "a call is told late to have been refused",
			Person: "the same, or this version has other steps for the action",
		},
	}
}

// sending are those around a call.
func sending() []Transition {
	return []Transition{
		{
			From: replication.Open, To: replication.Executing,
			Rule:   "the intent is written: everything was read and decided again",
			Person: "the intent of the first step is written",
		},
		{
			From: replication.Held, To: replication.Executing,
			Rule:   "what held it holds it no more, and the intent is written",
			Person: "what held it holds it no more, and the intent of the step is written",
		},
		{
			From: replication.Executing, To: replication.Executing,
			Rule:   "an earlier call is told late",
			Person: "an earlier call is told late",
		},
		{
			From: replication.Executing, To: replication.Held,
			Rule:   "nothing has left, or it was refused for its rate: tried again",
			Person: "the same, or the provider refuses a later step: tried again",
		},
		{
			From: replication.Executing, To: replication.Verifying,
			Rule:   "accepted, or of unknown outcome, or refused after a call of unknown outcome",
			Person: "accepted, or of unknown outcome, or refused after a call of unknown outcome",
		},
		{
			From: replication.Executing, To: replication.Failed,
			Rule:   "the provider refused it, or nothing could be sent in time",
			Person: "the provider refused the first step, or nothing could be sent in time",
		},
	}
}

// proving are those of an incident whose call may have happened.
func proving() []Transition {
	return []Transition{
		{
			From: replication.Verifying, To: replication.Verifying,
			Rule:   "the group has changed since a call of unknown outcome, or a call is told late",
			Person: "the group has changed since a call of unknown outcome, or a call is told late",
		},
		{
			From: replication.Verifying, To: replication.Held,
			Rule:   "proven not to have happened: sent once more; or told late not to have been sent",
			Person: "the step is proven and the next is to come; or it is proven not to have happened and is sent once more; or told late not to have been sent",
		},
		{
			From: replication.Verifying, To: replication.Succeeded,
			Rule:   "the provider shows the move",
			Person: "the provider shows the last step as done",
		},
		{
			From: replication.Verifying, To: replication.Failed,
			Rule:   "the provider's job failed, it shows a failed failover, or the call is told late to have been refused",
			Person: "the provider's job or step failed, or the first call is proven not to have happened",
		},
		{
			From: replication.Verifying, To: replication.Ambiguous,
			Rule:   "nothing proves what became of a call of unknown outcome, or a person gave up",
			Person: "nothing proves what became of it, a person gave up, or a rule needs the group",
		},
		{
			From: replication.Verifying, To: replication.Aborted,
			Rule: "nothing was sent, and the group is back where it was",
		},
	}
}
