package exhaust_test

import (
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

var controls = flag.String("controls", "", "take the protections whose names match out, one at a time, and see that the search finds what follows")

// control is one protection, how it is taken out, and the scope whose search must find
// what follows.
type control struct {
	name  string
	scope string
	edits []edit
}

// edit replaces a text of a file, once.
type edit struct{ file, was, is string }

const (
	fileClaim   = "quorum/ledger/claim.go"
	fileWrite   = "quorum/ledger/write.go"
	fileExecute = "failover/execute.go"
	fileVerify  = "failover/verify.go"
)

// Where a protection stands behind another, both are taken out.
func protections() []control {
	return []control{
		{"the intent comes first", "huawei_sdrs, a moment", []edit{
			{fileExecute, "	rec, err = c.intent(ctx, election, rec, p)\n	if err != nil {\n		return err\n	}\n	c.o.At(\"intent\")", "	c.o.At(\"intent\")"},
		}},
		{"a write is the holder's", "huawei_sdrs, a stop at any time", []edit{
			{fileClaim, "		unchanged(\"the holder of incident \"+id, l.keys.holder(id), token),\n", ""},
			{fileWrite, "	if now.Token != w.Token {", "	if false {"},
			{fileWrite, "	if now.Rev != w.IncidentRev {", "	if false {"},
			{fileClaim, "		unchanged(\"incident \"+id, l.keys.incident(id), rev),\n", ""},
		}},
		{"a call of unknown outcome is waited for", "huawei_sdrs, some time", []edit{
			{fileVerify, "	quiet := call.StartedAt.Add(c.o.SignatureLife + c.o.Settle)\n	if w.reads", "	quiet := call.StartedAt\n	if w.reads"},
		}},
		{"a call to DWS is never sent again", "huawei_dws, any time", []edit{
			{fileVerify, "	case rec.Provider == replication.HuaweiDWS:", "	case false:"},
		}},
		{"the intent compares the freeze", "huawei_sdrs, a freeze", []edit{
			{fileWrite, "	if w.Unfrozen {", "	if false {"},
		}},
		{"the intent compares the abort", "huawei_sdrs, an abort", []edit{
			{fileWrite, "	if w.Unaborted {", "	if false {"},
			{fileWrite, "	if now.Rev != w.IncidentRev {", "	if false {"},
			{fileClaim, "		unchanged(\"incident \"+id, l.keys.incident(id), rev),\n", ""},
		}},
		{"claim and intent compare the votes", "huawei_sdrs, a veto", []edit{
			{fileClaim, "Kind: NoneNewer, Key: l.keys.allVoted(rule), Rev: g.Revision,", "Kind: NoneNewer, Key: l.keys.allVoted(rule), Rev: 1 << 60,"},
			{fileClaim, "Kind: NoneNewer, Key: l.keys.votesOn(rule, key), Rev: g.Revision,", "Kind: NoneNewer, Key: l.keys.votesOn(rule, key), Rev: 1 << 60,"},
		}},
		{"the lease outlasts the call", "huawei_sdrs, a stop at any time", []edit{
			{"failover/controller.go", "; left <= need {", "; false && left <= need {"},
			{"failover/controller.go", "; took > sendWithin {", "; false && took > sendWithin {"},
		}},
	}
}

// TestControls takes each protection out and sees that the search finds a way to what
// it keeps from happening. It compiles the search anew for each.
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
			found, err := c.found(t.TempDir())
			switch {
			case err != nil:
				t.Error(err)
			case found == "":
				t.Errorf("nothing was found in scope %q", c.scope)
			default:
				t.Log(found)
			}
		})
	}
}

// found builds the search without the protection and tells the shortest way that it
// finds.
func (c control) found(dir string) (string, error) {
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
	program := filepath.Join(dir, "exhaust.test")
	build := exec.Command("go", "test", "-vet=off", "-overlay="+filepath.Join(dir, "overlay.json"), "-c", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	out, err := exec.Command(program, "-test.run=^TestEveryInterleaving$", "-test.timeout=60m", "-full", "-ever", "-ends=false", "-ahead=0", "-scope=^"+regexp.QuoteMeta(c.scope)+"$").CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return "", err
	}
	if m := regexp.MustCompile(`after \d+ choices: .*`).Find(out); m != nil {
		return string(m), nil
	}
	if err != nil {
		return "", fmt.Errorf("the search ended otherwise: %s", out)
	}
	return "", nil
}
