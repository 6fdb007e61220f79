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

// control is one protection, and how it is taken out. Within so many stories the
// judges must notice. Where that takes a coincidence, each story has it: focus is
// the step at which what mischief happens.
type control struct {
	name   string
	edits  []edit
	focus  string
	within int
}

// edit replaces a text of a file, once.
type edit struct{ file, was, is string }

// The files that most protections stand in.
const (
	fileClaim   = "quorum/ledger/claim.go"
	fileWrite   = "quorum/ledger/write.go"
	fileDecide  = "failover/decide.go"
	fileExecute = "failover/execute.go"
	fileVerify  = "failover/verify.go"
	fileVote    = "policy/vote.go"
)

func one(name string, within int, focus, file, was, is string) control {
	return control{name: name, edits: []edit{{file, was, is}}, focus: focus, within: within}
}

// Where a protection stands behind another, both are taken out: nobody could notice
// one of them alone.
func protections() []control {
	return []control{
		one("the claim compares the leader", 1000, "store claim/6", fileClaim, "		l.keys.elected(c.LeaderRev),\n", ""),
		one("the claim compares the freeze", 300, "store claim/1", fileClaim, "		absent(\"the freeze\", l.keys.freeze()),\n		l.keys", "		l.keys"),
		{"claim and intent compare the votes", []edit{
			{fileClaim, "Kind: NoneNewer, Key: l.keys.allVoted(rule), Rev: g.Revision,", "Kind: NoneNewer, Key: l.keys.allVoted(rule), Rev: 1 << 60,"},
			{fileClaim, "Kind: NoneNewer, Key: l.keys.votesOn(rule, key), Rev: g.Revision,", "Kind: NoneNewer, Key: l.keys.votesOn(rule, key), Rev: 1 << 60,"},
		}, "store claim/9", 1000},
		{"no incident is open on the group", []edit{
			{fileClaim, "	case rec.OpenIncident != \"\":", "	case false:"},
			{fileClaim, "		unchanged(\"the record of the group\", l.keys.group(c.Incident.Key()), c.GroupRev),\n", ""},
			{fileClaim, "	case it.Mod != c.GroupRev:", "	case false:"},
			{fileClaim, "		l.keys.elected(c.LeaderRev),\n", ""},
		}, "store claim/6", 1000},
		one("the intent compares the freeze", 300, "store write/1", fileWrite, "	if w.Unfrozen {", "	if false {"),
		{"the intent compares the abort", []edit{
			{fileWrite, "	if w.Unaborted {", "	if false {"},
			{fileWrite, "	if now.Rev != w.IncidentRev {", "	if false {"},
			{fileClaim, "		unchanged(\"incident \"+id, l.keys.incident(id), rev),\n", ""},
		}, "store write/2", 1000},
		{"a write is the holder's", []edit{
			{fileClaim, "		unchanged(\"the holder of incident \"+id, l.keys.holder(id), token),\n", ""},
			{fileWrite, "	if now.Token != w.Token {", "	if false {"},
			{fileWrite, "	if now.Rev != w.IncidentRev {", "	if false {"},
			{fileClaim, "		unchanged(\"incident \"+id, l.keys.incident(id), rev),\n", ""},
		}, "store write/7", 2000},
		{"the intent compares the leader", []edit{
			{fileWrite, "	if w.LeaderRev != 0 {", "	if false {"},
		}, "store write/6", 1000},
		one("the intent comes first", 300, "", fileExecute, "	rec, err = c.intent(ctx, election, rec, p)\n	if err != nil {\n		return err\n	}\n	c.o.At(\"intent\")", "	c.o.At(\"intent\")"),
		{"the lease outlasts the call", []edit{
			{"failover/controller.go", "; left <= need {", "; false && left <= need {"},
			{"failover/controller.go", "; took > sendWithin {", "; false && took > sendWithin {"},
		}, "connect/8", 500},
		one("intent and first byte lie close together", 500, "connect/6", "failover/controller.go", "; took > sendWithin {", "; false && took > sendWithin {"),
		one("a call of unknown outcome is waited for", 1000, "", fileVerify, "	quiet := call.StartedAt.Add(c.o.SignatureLife + c.o.Settle)\n	if w.reads", "	quiet := call.StartedAt\n	if w.reads"),
		one("an unknown call is sent again once at most", 300, "connect/10", fileVerify, "	case uncertainCalls(rec) > 1:", "	case false:"),
		one("a call to DWS is never sent again", 3000, "", fileVerify, "	case rec.Provider == replication.HuaweiDWS:", "	case false:"),
		{"a veto holds", []edit{
			{fileDecide, "		if c.OK = !s.Rule.VetoAny; !c.OK {", "		if false {"},
		}, "store read/0", 1000},
		one("two sites agree", 300, "", fileDecide, "len(counted) >= agree", "len(counted) >= 1"),
		{"observers that cannot vouch for themselves abstain", []edit{
			{fileVote, "[]string{unfit, e.standsWrong(t), errText(s.err)}", "[]string{e.standsWrong(t), errText(s.err)}"},
			{"failover/conditions.go", "		if v.TargetDown && v.Rule", "		if false && v.Rule"},
			{"failover/conditions.go", "	if len(unfit) > 0 {", "	if false {"},
		}, "round/12", 300},
		{"the observer in the lost site has no go", []edit{
			{fileVote, "[]string{unfit, e.standsWrong(t), errText(s.err)}", "[]string{unfit, errText(s.err)}"},
			{fileDecide, " || v.Site == s.Target.ActiveSite", ""},
		}, "", 300},
		one("the trigger holds for its time", 300, "", fileVote, "h.held(ms) >= r.rule.For.Milliseconds()", "h.held(ms) >= 0"),
		one("votes on other rules do not count", 1000, "", fileDecide, " || v.RuleHash != s.Rule.Hash", ""),
		{"a latch holds", []edit{
			{fileClaim, "	case rec.Latch != nil:", "	case false:"},
			{"failover/conditions.go", "	if l != nil {", "	if false {"},
			{"failover/conditions.go", "	if last == nil || limit <= 0 {", "	if true {"},
		}, "connect/11", 300},
		one("the provider's conditions hold", 300, "claimed/13", fileDecide, "s.Target.Group.Ready)\n	if len", "nil)\n	if len"),
		{"slots are keys", []edit{
			{fileWrite, "		t.If = append(t.If, absent(name, l.keys.slot(inc.Rule, inc.Slot)))\n", "		_ = name\n"},
			{"failover/conditions.go", "len(c.Slots[r.Name]), r.MaxConcurrent, ", "0, r.MaxConcurrent, "},
			{"failover/drive.go", "	return taken < rec.Plan.MaxConcurrent", "	return true"},
		}, "", 1000},
		one("a claim that nobody holds is finished", 300, "", "failover/drive.go", "	if rec.Holder.LeaderRev != c.election {\n		taken, err", "	if rec.Holder.LeaderRev != c.election {\n		return nil\n	}\n	if rec.Holder.LeaderRev != c.election {\n		taken, err"),
	}
}

// TestControls takes each protection out and sees that the stories notice. One that
// nobody misses is a hole in the proof. It compiles the stories anew for each.
func TestControls(t *testing.T) {
	if *controls == "" {
		return // `make proof` asks for all
	}
	only := regexp.MustCompile(*controls)
	for _, c := range protections() {
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
	replaced := map[string]string{}
	for i, e := range c.edits {
		path, err := filepath.Abs(filepath.Join("..", e.file))
		if err != nil {
			return "", err
		}
		from := path
		if at, ok := replaced[path]; ok {
			from = at
		}
		source, err := os.ReadFile(from)
		if err != nil {
			return "", err
		}
		if n := strings.Count(string(source), e.was); n != 1 {
			return "", fmt.Errorf("%s: %d places are %q, want one", e.file, n, e.was)
		}
		replaced[path] = filepath.Join(dir, fmt.Sprintf("without%d.go", i))
		if err := os.WriteFile(replaced[path], []byte(strings.Replace(string(source), e.was, e.is, 1)), 0o600); err != nil {
			return "", err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
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
	out, err := exec.Command(program, "-test.run=^TestStories$", "-test.timeout=20m", "-until", fmt.Sprint("-seeds=", c.within), "-focus="+c.focus).CombinedOutput()
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
