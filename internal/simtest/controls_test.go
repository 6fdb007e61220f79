package simtest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var controls = flag.String("controls", "", "take the protections whose names match out, one at a time, and see that the stories notice")

// control is one protection, and how it is taken out: the text in the file that is
// replaced. Within so many stories the judges must notice.
type control struct {
	name   string
	file   string
	was    string
	is     string
	within int
}

var protections = []control{
	{"the claim compares the leader", "quorum/ledger/claim.go", "		l.keys.elected(c.LeaderRev),\n", "", 1500},
	{"the claim compares the freeze", "quorum/ledger/claim.go", "		absent(\"the freeze\", l.keys.freeze()),\n		l.keys", "		l.keys", 1500},
	{"claim and intent compare the votes", "quorum/ledger/claim.go", "Kind: NoneNewer, Key: l.keys.votes(rule), Rev: g.Revision,", "Kind: NoneNewer, Key: l.keys.votes(rule), Rev: 1 << 60,", 1500},
	{"the group's record is compared", "quorum/ledger/claim.go", "	case rec.OpenIncident != \"\":", "	case false:", 3000},
	{"the intent compares the freeze", "quorum/ledger/write.go", "	if w.Unfrozen {", "	if false {", 1500},
	{"the intent compares the abort", "quorum/ledger/write.go", "	if w.Unaborted {", "	if false {", 1500},
	{"the intent compares the leader", "quorum/ledger/write.go", "	if w.LeaderRev != 0 {", "	if false {", 1500},
	{"every write compares the token", "quorum/ledger/claim.go", "		unchanged(\"the holder of incident \"+id, l.keys.holder(id), token),\n", "", 3000},
	{"the intent comes first", "failover/execute.go", "	rec, err = c.intent(ctx, election, rec, p)\n	if err != nil {", "	_, err = c.intent(ctx, 0, rec, p)\n	if errors.Is(err, context.Canceled) {", 500},
	{"the lease outlasts the call", "failover/controller.go", "; left <= need {", "; false && left <= need {", 1500},
	{"a lease of another election is none", "quorum/ledger/session.go", "	if leaderRev == 0 || s.leaderRev != leaderRev {", "	if leaderRev == 0 {", 3000},
	{"intent and first byte lie close together", "failover/controller.go", "; took > sendWithin {", "; false && took > sendWithin {", 1500},
	{"a call of unknown outcome is waited for", "failover/verify.go", "	quiet := call.StartedAt.Add(c.o.SignatureLife + c.o.Settle)\n	if w.reads", "	quiet := call.StartedAt\n	if w.reads", 1500},
	{"an unknown call is sent again once at most", "failover/verify.go", "	case uncertainCalls(rec) > 1:", "	case false:", 3000},
	{"a call to DWS is never sent again", "failover/verify.go", "	case rec.Provider == replication.HuaweiDWS:", "	case false:", 1500},
	{"a veto holds", "failover/decide.go", "		c.OK = !s.Rule.VetoAny\n", "", 1500},
	{"two sites agree", "failover/decide.go", "OK: agree > 0 && len(counted) >= agree", "OK: agree > 0 && len(counted) >= 1", 500},
	{"each site counts once", "failover/decide.go", "	for _, v := range bySite {\n		out = append(out, v)\n	}", "	for _, v := range bySite {\n		out = append(out, v, v)\n	}", 500},
	{"observers that cannot vouch for themselves abstain", "policy/vote.go", "[]string{unfit, e.standsWrong(t), errText(s.err)}", "[]string{e.standsWrong(t), errText(s.err)}", 3000},
	{"the observer in the lost site has no go", "policy/vote.go", "[]string{unfit, e.standsWrong(t), errText(s.err)}", "[]string{unfit, errText(s.err)}", 1500},
	{"the trigger holds for its time", "policy/vote.go", "h.held(ms) >= r.rule.For.Milliseconds()", "h.held(ms) >= 0", 500},
	{"votes on other rules do not count", "failover/decide.go", " || v.RuleHash != s.Rule.Hash", "", 1500},
	{"a latch holds", "quorum/ledger/claim.go", "	case rec.Latch != nil:", "	case false:", 1500},
	{"the provider's conditions hold", "failover/decide.go", "	add(s.Target.Group.Ready...)\n", "", 1500},
	{"slots are keys", "quorum/ledger/write.go", "		t.If = append(t.If, absent(name, l.keys.slot(inc.Rule, inc.Slot)))\n", "		_ = name\n", 1500},
	{"a claim that nobody holds is taken over", "failover/drive.go", "	if now.Sub(s.at) < wait {", "	if true {", 500},
	{"a round that fails does not end an incident", "failover/execute.go", "			c.leaveLate(ctx, rec, sent)\n", "", 3000},
}

// doubled are protections that stand behind another one, so that the stories cannot
// notice when one of the two is gone: what stands in its place.
var doubled = map[string]string{}

// TestControls takes each protection out and sees that the stories notice. One that
// nobody misses is a hole in the proof. It compiles the stories anew for each.
func TestControls(t *testing.T) {
	if *controls == "" {
		return // `make proof` asks for all
	}
	only := regexp.MustCompile(*controls)
	for _, c := range protections {
		if !only.MatchString(c.name) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			seed, err := c.noticed(t.TempDir())
			switch {
			case err != nil:
				t.Error(err)
			case seed == "":
				t.Errorf("nobody has noticed in %d stories", c.within)
			default:
				t.Logf("noticed by the story of seed %s", seed)
			}
		})
	}
}

// noticed builds the stories without the protection and plays until one fails.
func (c control) noticed(dir string) (seed string, err error) {
	path, err := filepath.Abs(filepath.Join("..", c.file))
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), c.was); n != 1 {
		return "", fmt.Errorf("%s: %d places are %q, want one", c.file, n, c.was)
	}
	without := filepath.Join(dir, "without.go")
	if err := os.WriteFile(without, []byte(strings.Replace(string(source), c.was, c.is, 1)), 0o600); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: without}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		return "", err
	}
	program := filepath.Join(dir, "stories.test")
	build := exec.Command("go", "test", "-vet=off", "-overlay="+filepath.Join(dir, "overlay.json"), "-c", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	out, err := exec.Command(program, "-test.run=^TestStories$", "-test.timeout=20m", "-until", fmt.Sprint("-seeds=", c.within)).CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return "", err
	}
	if m := regexp.MustCompile(`seed (\d+): (.*)`).FindSubmatch(out); m != nil {
		return string(m[1]) + ": " + string(bytes.TrimSpace(m[2])), nil
	}
	if err != nil {
		return "", fmt.Errorf("the stories ended otherwise: %s", out)
	}
	return "", nil
}
