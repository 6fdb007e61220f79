package cli_test

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestByHand goes the way of "Acting as a person" in docs/operations.md, with the
// real daemon on the simulated clouds: what is shown, what is done, how it ends.
func TestByHand(t *testing.T) {
	dir := t.TempDir()
	sim := start(t, dir, "sim", "--control.listen-address", "127.0.0.1:0")
	control := sim.find(t, regexp.MustCompile(`(http://\S+)/sim/sites/az-a/lose`))
	config := filepath.Join(dir, "sim/drwatch.yml")
	write(t, config, strings.Replace(read(t, config), "global:\n", "global:\n    mode: approve\n", 1))
	serve := start(t, dir, "serve", "--config.file", "sim/drwatch.yml", "--storage.path", "data", "--web.listen-address", "127.0.0.1:0")
	url := "http://" + serve.find(t, regexp.MustCompile(`msg="drwatch runs" addresses=\[([^\]]+)\]`))
	serve.eventually(t, "a plan for a group that was read is good", func() bool {
		_, code := run(t, dir, "switchover", "db-orders", "--dry-run", "--url", url)
		return code == 0
	})
	because := []string{"--reason", "a planned night", "--yes", "--url", url}
	for _, step := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"switchover", "db-orders"}, 0, "\nsucceeded: switchover of db-orders, production is at cn-north-4/cn-north-4b; it is replicating (protected)\n"},
		{[]string{"reprotect", "db-orders"}, 1, "not possible now, nothing was done:\n  status_allows_reprotect: protected"},
		{[]string{"reprotect", "warehouse-sales"}, 1, "recovery, which drops the data"},
		{[]string{"drill", "start", "disks-queue"}, 0, " is ready\n"},
		{[]string{"drill", "clear", "disks-queue"}, 0, " is gone\n"},
		{[]string{"drill", "clear", "disks-queue"}, 1, "the group has no drill"},
		{[]string{"failover", "no-such-group"}, 1, `group "no-such-group": not found` + "\n"},
		{[]string{"failover", "DB-ORDER"}, 1, `not found, did you mean "db-orders"?`},
		{[]string{"failover", "db-orders", "--account", "sdr"}, 1, `account "sdr": not found, did you mean "sdrs"?`},
		{[]string{"failover", "db-orders", "--account", "ebs"}, 1, `group "db-orders" in account "ebs": not found, but in account sdrs`},
		{[]string{"ack", "disks-queue"}, 1, "nothing to acknowledge: it is not latched\n"},
		{[]string{"unfreeze"}, 0, "nobody had frozen it\n"},
		{[]string{"freeze"}, 0, "for no rule and no person, until"},
		{[]string{"freeze"}, 0, ": a planned night\nThat freeze stays"},
		{[]string{"protection", "stop", "legacy-erp"}, 1, "not possible now, nothing was done:\n  not_frozen: frozen by "},
	} {
		args := append(slices.Clone(step.args), because...)
		if _, answers := map[string]bool{"freeze": true, "unfreeze": true, "ack": true}[step.args[0]]; answers {
			args = slices.DeleteFunc(args, func(a string) bool { return a == "--yes" })
		}
		if said, code := run(t, dir, args...); code != step.code || !strings.Contains(said, step.says) {
			t.Errorf("drwatch %s: exit code %d, want %d and %q:\n%s", strings.Join(step.args, " "), code, step.code, step.says, said)
		}
	}
	checkSent(t, get(t, control+"/sim/effects"), []string{"StartReverseProtectionGroup", "StartReplicaGroupDrill", "ClearReplicaGroupDrill"})
	if said, _ := run(t, dir, "incidents", "--url", url); strings.Count(said, "(person)") != 3 {
		t.Errorf("want three incidents of a person:\n%s", said)
	}
}

// checkSent: these calls, and no others, reached the clouds.
func checkSent(t *testing.T, effects string, want []string) {
	t.Helper()
	var all []struct{ Kind, Operation string }
	if err := json.Unmarshal([]byte(effects), &all); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		if e.Kind == "call" {
			got = append(got, e.Operation)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the clouds were sent %q, want %q", got, want)
	}
}
