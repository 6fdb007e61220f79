package failover_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/quorum/quorumtest"
	"github.com/drwatch/drwatch/internal/replication"
)

var drawStates = flag.Bool("draw-states", false, "draw docs/states.md anew")

// move is one transition that an incident has made.
type move struct {
	person   bool
	from, to replication.Phase
}

func (m move) String() string {
	who := "a rule's incident"
	if m.person {
		who = "a person's action"
	}
	return fmt.Sprintf("%s from %q to %q", who, m.from, m.to)
}

// allowed are the rows of the table.
func allowed() map[move]bool {
	out := map[move]bool{}
	for _, tr := range failover.Transitions() {
		if tr.Rule != "" {
			out[move{false, tr.From, tr.To}] = true
		}
		if tr.Person != "" {
			out[move{true, tr.From, tr.To}] = true
		}
	}
	return out
}

// made are the transitions that the tests of this package have made.
type made struct {
	mu   sync.Mutex
	seen map[move]bool
}

var theMade = &made{seen: map[move]bool{}}

// watch takes down each transition that any incident of the store makes, and
// refuses those that the table has not.
func (all *made) watch(t *testing.T, store *quorumtest.Store) {
	table, at := allowed(), map[string]replication.Phase{}
	store.Watched(func(a quorumtest.Applied) {
		for _, p := range a.Txn.Puts {
			_, id, ok := strings.Cut(p.Key, "/incident/")
			if !ok {
				continue
			}
			var inc replication.Incident
			if err := json.Unmarshal(p.Value, &inc); err != nil {
				t.Errorf("incident %s: %v", id, err)
				return
			}
			m := move{inc.Person != nil, at[id], inc.Phase}
			at[id] = inc.Phase
			if a.Txn.Op != "claim" && a.Txn.Op != "write" { // a take-over, or what a person says: it stays where it is
				if m.from != m.to {
					t.Errorf("%q made %s", a.Txn.Op, m)
				}
				continue
			}
			if !table[m] {
				t.Errorf("%s, which the table has not", m)
			}
			all.mu.Lock()
			all.seen[m] = true
			all.mu.Unlock()
		}
	})
}

// TestEveryStateHasAWayOut: from every phase that has not ended each end can be
// reached that can be reached at all, and nothing leaves an end.
func TestEveryStateHasAWayOut(t *testing.T) {
	ends := map[bool][]replication.Phase{
		false: {replication.Succeeded, replication.Failed, replication.Ambiguous, replication.Aborted, replication.Simulated},
		true:  {replication.Succeeded, replication.Failed, replication.Ambiguous, replication.Aborted},
	}
	for person, goals := range ends {
		next := map[replication.Phase][]replication.Phase{}
		for m := range allowed() {
			if m.person == person {
				next[m.from] = append(next[m.from], m.to)
			}
		}
		for phase := range reach(next, "") {
			if phase.Ended() {
				if len(next[phase]) > 0 {
					t.Errorf("%s leads to %s", phase, next[phase])
				}
				continue
			}
			for _, goal := range goals {
				if !reach(next, phase)[goal] {
					t.Errorf("person %t: nothing leads from %s to %s", person, phase, goal)
				}
			}
		}
		for _, phase := range []replication.Phase{replication.Open, replication.Held, replication.Executing, replication.Verifying} {
			if !reach(next, "")[phase] {
				t.Errorf("person %t: nothing leads to %s", person, phase)
			}
		}
	}
}

func reach(next map[replication.Phase][]replication.Phase, from replication.Phase) map[replication.Phase]bool {
	found, todo := map[replication.Phase]bool{}, slices.Clone(next[from])
	for len(todo) > 0 {
		phase := todo[0]
		todo = todo[1:]
		if !found[phase] {
			found[phase] = true
			todo = append(todo, next[phase]...)
		}
	}
	return found
}

// TestTransitionsAreOnce: a row is there once and says something.
func TestTransitionsAreOnce(t *testing.T) {
	seen := map[[2]replication.Phase]bool{}
	for _, tr := range failover.Transitions() {
		pair := [2]replication.Phase{tr.From, tr.To}
		if seen[pair] || tr.Rule == "" && tr.Person == "" {
			t.Errorf("%q to %q is there twice, or never made", tr.From, tr.To)
		}
		seen[pair] = true
	}
}

// TestStatesPage: docs/states.md is drawn from the table. -draw-states draws it.
func TestStatesPage(t *testing.T) {
	const page = "../../docs/states.md"
	want := statesPage()
	if *drawStates {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/states.md is not as the table draws it: go test ./internal/failover -run TestStatesPage -draw-states")
	}
}

func statesPage() string {
	var b strings.Builder
	b.WriteString(`# The states of an incident

Drawn from ` + "`failover.Transitions`" + `, the one table of what an incident may do. Every test of the package, and every story of the simulation, refuses a transition that the table has not; and each of its rows is made by some test. How it comes to them is told in [How it decides](how-it-decides.md), what to do in each phase in [Operations](operations.md#what-to-do-for-each-phase).

- ` + "`open`, `held`, `executing` and `verifying`" + ` have not ended. ` + "`open` and `held`" + ` have no call under way; an intent is stored before each call, and stands in ` + "`executing`" + ` until its outcome does.
- ` + "`verifying`" + ` waits for the provider's proof. Time alone does not end it, but that the proof of a drill, a start or a stop is waited for no longer than two hours.
- After an end nothing is sent. Only an acknowledgement is still added to the journal.
- A take-over, an approval and an abort that is asked for leave the incident in its phase; who holds it acts on them.
`)
	for _, part := range []struct {
		heading string
		person  bool
	}{{"Of a rule", false}, {"Of a person's action", true}} {
		fmt.Fprintf(&b, "\n## %s\n\n```mermaid\nstateDiagram-v2\n", part.heading)
		drawStateDiagram(&b, part.person)
		b.WriteString("```\n\n| from | to | when |\n| --- | --- | --- |\n")
		for _, tr := range failover.Transitions() {
			when := tr.Rule
			if part.person {
				when = tr.Person
			}
			if when != "" {
				fmt.Fprintf(&b, "| %s | `%s` | %s. |\n", quotedPhase(tr.From), tr.To, strings.ToUpper(when[:1])+when[1:])
			}
		}
	}
	return b.String()
}

// drawStateDiagram leaves out what stays in its phase: the table has it.
func drawStateDiagram(b *strings.Builder, person bool) {
	ended := map[replication.Phase]bool{}
	for _, tr := range failover.Transitions() {
		if tr.From == tr.To || !allowed()[move{person, tr.From, tr.To}] {
			continue
		}
		from := string(tr.From)
		if from == "" {
			from = "[*]"
		}
		fmt.Fprintf(b, "    %s --> %s\n", from, tr.To)
		if tr.To.Ended() {
			ended[tr.To] = true
		}
	}
	for _, phase := range slices.Sorted(maps.Keys(ended)) {
		fmt.Fprintf(b, "    %s --> [*]\n", phase)
	}
}

func quotedPhase(p replication.Phase) string {
	if p == "" {
		return ""
	}
	return "`" + string(p) + "`"
}
