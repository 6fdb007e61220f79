package simtest_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// invariant is one line of what must always hold, and who looks at it: judges of the
// stories, by the names of their functions, and what shows the rest.
type invariant struct {
	holds  string
	judges string
	rest   string
}

// invariants are all, in the order of their numbers.
func invariants() []invariant {
	return []invariant{
		{"at most one effective failover of a group", "judgeEnd", ""},
		{"no claim without a majority of the store; reads are linearizable", "serves", "the store model on etcd"},
		{"so many distinct sites say go, none of them the active one", "judgeClaim judgeVotes judgeAgreed", ""},
		{"a live veto blocks", "judgeVetoes", ""},
		{"who cannot vouch for itself has no go", "judgeVotes judgeClaim", "each reason: `internal/policy`"},
		{"less evidence never makes a yes", "", "the lattice: monotone"},
		{"all is read again under the claim", "judgeIntent judgeVetoes judgeAgreed", ""},
		{"who slept past its lease sends nothing", "judgeFirstByte", "a sleep behind the last look: 1, by `judgeEnd`"},
		{"tokens only grow, nothing is written under an older one", "judgeToken judgeHolder", ""},
		{"the intent is durable before the call", "judgeFirstByte", ""},
		{"no second call while the first may have happened", "judgeIntent judgeOnTheirWay", ""},
		{"the provider's state allows the action, in the planned direction", "judgeIntent", "the lattice: each status of each provider"},
		{"a rehearsal cannot send", "judgeMode", "`TestARuleCanOnlyFailOver`"},
		{"what guards a rehearsal guards the real thing", "", "the lattice: real is never less guarded"},
		{"frozen is stopped", "judgeClaim judgeIntent", "a freeze beside one observer: `internal/failover`"},
		{"no claim before one whole `for` after a start", "judgeVotes", "the leader's own polls: `internal/app`"},
		{"what was not sent is no failure; a failure latches", "judgeEnding", "back-off: `internal/failover`"},
		{"a claim that was not begun is finished by somebody", "judgeProgress", ""},
		{"with a majority and evidence the call leaves", "judgeProgress", "how long it takes: `make measure`"},
		{"steps of the wall clock change nothing", "judgeVotes judgeFirstByte judgeOnTheirWay", "the cluster clock: `internal/quorum`"},
		{"what is lost is judged at the last good moment", "judgeLag", "the museum: patroni#3703"},
		{"nothing is reprotected by itself", "", "`TestARuleCanOnlyFailOver`"},
		{"who does not fence is not used by itself", "", "`TestARuleThatDoesNotFence`"},
		{"limits hold over all observers", "judgeSlots judgeBudget judgeCooldown", "`max_per_hour`: `internal/failover`"},
		{"an alert that ends stops nothing half way", "", "`internal/failover`"},
		{"an alert is one source", "", "`internal/policy`"},
		{"trouble of the store is no evidence", "judgeClaim judgeSilence", "a full disk: `test/cluster`"},
		{"votes under different rules never add up", "judgeClaim judgeAgreed", ""},
		{"the journal is only added to, and chained", "judgeEntries judgeEnd", "what tampering shows: `internal/archive`"},
		{"nothing is blocked in silence", "judgeSilence", ""},
	}
}

func (i invariant) row(n int) string {
	var by []string
	if i.judges != "" {
		by = append(by, "`"+strings.ReplaceAll(i.judges, " ", "`, `")+"`")
	}
	if i.rest != "" {
		by = append(by, i.rest)
	}
	return fmt.Sprintf("| %d | %s | %s |", n, i.holds, strings.Join(by, "; "))
}

// TestInvariants holds that each invariant has somebody who looks at it, that those
// are there, and that the page tells it so.
func TestInvariants(t *testing.T) {
	page, err := os.ReadFile("../../docs/proof.md")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, name := range []string{"check_test.go", "judge_test.go", "network_test.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	var there []string
	for _, m := range regexp.MustCompile(`func \(w \*world\) (judge\w+|serves)\(`).FindAllStringSubmatch(source.String(), -1) {
		there = append(there, m[1])
	}
	named := map[string]bool{"judgeCommit": true, "judgeLeader": true, "judgeAlone": true, "judgeAbort": true}
	for i, inv := range invariants() {
		if inv.judges == "" && inv.rest == "" {
			t.Errorf("nobody looks at %d: %s", i+1, inv.holds)
		}
		for judge := range strings.FieldsSeq(inv.judges) {
			named[judge] = true
			if !slices.Contains(there, judge) {
				t.Errorf("%d: there is no %s", i+1, judge)
			}
		}
		if row := inv.row(i + 1); !strings.Contains(string(page), row+"\n") {
			t.Errorf("docs/proof.md has no row\n%s", row)
		}
	}
	for _, judge := range there {
		if !named[judge] {
			t.Errorf("%s is named by no invariant", judge)
		}
	}
}

// TestProtectionsPage: the page names each protection that is taken out.
func TestProtectionsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/proof.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(page)), " ")
	for _, c := range protections() {
		if !strings.Contains(text, c.name) {
			t.Errorf("docs/proof.md does not name %q", c.name)
		}
	}
}
