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
	"strconv"
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
	fileGuards  = "failover/conditions.go"
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
			{"failover/controller.go", "; put > sendWithin {", "; false && put > sendWithin {"},
		}, "connect/8", 500},
		one("a clock that is put forward is noticed", 300, "seed=1118795, groups=huawei_evs+huawei_sdrs; at=20s, what=mischief, step=store claim, n=8; at=30s, what=mute, whom=cloud, step=first_byte; at=57s, what=step, step=store write, last=1s, n=17408", "failover/controller.go", "; put > sendWithin {", "; false && put > sendWithin {"),
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
		one("votes that come late are refused", 300, "seed=1; at=20s, what=late, step=store vote, last=9s", "quorum/ledger/votes.go",
			"		If: []Compare{unchanged(\"the heartbeat of observer \"+l.o.Observer, l.keys.observer(l.o.Observer), l.current().rev)},\n", ""),
		one("one vote a site counts", 300, "seed=1, crew=two a site; at=5s, what=crash, who=obs-w, last=69s", fileDecide, "bySite[v.Site] = v", "bySite[v.Observer] = v"),
		one("the target site is not down", 1000, "seed=1; at=12s, what=cut, who=obs-w, whom=az-b, last=55s", fileGuards, "		if v.TargetDown && v.Rule", "		if false && v.Rule"),
		one("a rehearsal does not send", 300, "seed=1; at=1s, what=roll, n=2, last=5s", fileExecute, "	if p.decision.Mode == replication.DryRun {", "	if false {"),
		one("all is decided again under the claim", 1000, "read/0", fileExecute, "	if p.decision.Act {", "	if true {"),
		one("what a contradicting sample ends begins anew", 1000, "seed=1; at=27s, what=flap, last=3s", "policy/hold.go", "	default:\n		h.reset()\n", "	default:\n"),
		one("a failure latches", 300, "connect/11", fileExecute, "		group.Latch = &replication.Latch{Incident: inc.ID, At: now, Why: string(phase) + \": \" + why}\n", ""),
		one("what a second call would do again is latched", 300, "", fileExecute, "		if inc.Provider.Async() {", "		if false {"),
		one("after a call a rule waits", 1000, "seed=1; at=14s, what=mischief, step=connect, n=11; at=38s, what=ack; at=48s, what=ack; at=58s, what=ack", fileGuards, "	if last == nil || limit <= 0 {", "	if true {"),
		one("many failures stop the rest", 1000, on("", 1, event{at: seconds(14), what: "mischief", step: "connect", n: 11}, event{at: seconds(34), what: "ack"},
			event{at: seconds(42), what: "ack"}, event{at: seconds(50), what: "ack"}, event{at: seconds(58), what: "ack"}, event{at: seconds(66), what: "ack"}).under("cooldown: 1h", "cooldown: 0s").text(),
			fileGuards, "c.Losses[s.Target.ActiveSite].Failures[r.Name]", "0"),
		one("what was lost is within the limit", 300, "seed=1, groups=aliyun_ebs; at=2s, what=lag, last=58s", fileGuards, "		c.OK, c.Value = *rpo < limit,", "		c.OK, c.Value = true,"),
		one("what may have been sent is not aborted", 300, "answered/2", "quorum/ledger/person.go", "c != nil && attempt == 0 &&", "c != nil && attempt < 0 &&"),
		one("a crash between intent and outcome is an unknown call", 1000, "seed=1; at=14s, what=fate, fate=the request arrives late; at=14s, what=crash, step=sent, last=3s", fileExecute,
			"Sent{Outcome: replication.Uncertain, Err: errors.New(\"drwatch ended", "Sent{Outcome: replication.NotSent, Err: errors.New(\"drwatch ended"),
		one("a group that has changed since is not called again", 1000, "seed=1; at=14s, what=mischief, step=connect, n=10; at=45s, what=unwell, last=6s", fileVerify, "	case !w.unchanged:", "	case false:"),
		one("each entry of a journal follows the one before", 100, "", "quorum/ledger/journal.go", "incident, length+1, prev, \"\"", "incident, length+1, \"\", \"\""),
		one("nothing is blocked in silence", 300, "seed=1, groups=aliyun_ebs; at=2s, what=lag, last=58s", "failover/upkeep.go", "		if len(reasons) == 0 {", "		if true {"),
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
			c.unnoticed(t)
			got, err := c.noticed(t.TempDir())
			switch {
			case err != nil:
				t.Error(err)
			case got.seed == 0:
				t.Errorf("nobody has noticed in %d stories", c.within)
			default:
				t.Logf("noticed in story %d of %d at most: %s\nwith %d events:\n%s", got.seed, c.within, got.violations, got.events, got.schedule)
			}
			if got.events > aFew {
				t.Errorf("the shortest schedule found has %d events", got.events)
			}
		})
	}
}

// aFew is how many events of a schedule without a protection are left at most.
const aFew = 6

// unnoticed: with the protection in its place nobody complains of the coincidence.
func (c control) unnoticed(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		p := focused(draw(seed), c.focus)
		if failed := failure(t, p, play(t, p)); failed != "" {
			t.Errorf("nothing is taken out: %s", failed)
		}
	}
}

// notice is what came of the stories without a protection; no seed: nothing.
type notice struct {
	seed       uint64
	violations string
	events     int
	schedule   string
}

// noticed builds the stories without the protection and plays until one fails.
func (c control) noticed(dir string) (got notice, err error) {
	replaced := map[string]string{}
	for i, e := range c.edits {
		path, err := filepath.Abs(filepath.Join("..", e.file))
		if err != nil {
			return got, err
		}
		from := path
		if at, ok := replaced[path]; ok {
			from = at
		}
		source, err := os.ReadFile(from)
		if err != nil {
			return got, err
		}
		if n := strings.Count(string(source), e.was); n != 1 {
			return got, fmt.Errorf("%s: %d places are %q, want one", e.file, n, e.was)
		}
		replaced[path] = filepath.Join(dir, fmt.Sprintf("without%d.go", i))
		if err := os.WriteFile(replaced[path], []byte(strings.Replace(string(source), e.was, e.is, 1)), 0o600); err != nil {
			return got, err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return got, err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		return got, err
	}
	program := filepath.Join(dir, "stories.test")
	build := exec.Command("go", "test", "-vet=off", "-overlay="+filepath.Join(dir, "overlay.json"), "-c", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		return got, fmt.Errorf("%w: %s", err, out)
	}
	out, err := exec.Command(program, "-test.run=^TestStories$", "-test.timeout=20m", "-until", "-shrink=100", fmt.Sprint("-seeds=", c.within), "-focus="+c.focus).CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return got, err
	}
	m := regexp.MustCompile(`seed (\d+): (.*)(?s:\s+of \d+ events (\d+) suffice[^\n]*\n(.*?)\n\s+its story:)?`).FindSubmatch(out)
	if m == nil && err != nil {
		return got, fmt.Errorf("the stories ended otherwise: %s", out)
	}
	if m != nil {
		got.seed, _ = strconv.ParseUint(string(m[1]), 10, 64) // the expression takes digits only
		got.events, _ = strconv.Atoi(string(m[3]))
		got.violations, got.schedule = string(bytes.TrimSpace(m[2])), string(m[4])
	}
	return got, nil
}
