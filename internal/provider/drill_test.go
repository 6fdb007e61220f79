package provider_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

func TestDrillName(t *testing.T) {
	valid := regexp.MustCompile(`^[a-zA-Z0-9._-]{1,64}$`)
	for incident, want := range map[string]string{
		"20260102t030405-0a1b2c3d": "drwatch-20260102t030405-0a1b2c3d",
		"a b/c\"ü":                 "drwatch-a-b-c--",
		"":                         "drwatch-",
		strings.Repeat("x", 200):   "drwatch-" + strings.Repeat("x", 56),
	} {
		if got := provider.DrillName(incident); got != want || !valid.MatchString(got) {
			t.Errorf("%q is %q, want %q", incident, got, want)
		}
	}
}

func TestStartedBy(t *testing.T) {
	for name, want := range map[string]string{
		"drwatch-20260102t030405-0a1b2c3d": "20260102t030405-0a1b2c3d",
		"rehearsal":                        "",
		"":                                 "",
		"drwatch-":                         "",
		"drwatch-a b":                      "",
		provider.DrillName(strings.Repeat("x", 200)): "", // cut: whose it is cannot be told
	} {
		if got := provider.StartedBy(name); got != want {
			t.Errorf("%q was started by %q, want %q", name, got, want)
		}
	}
}

// Which drill is meant is not guessed, and it is said how to name it.
func TestNoDrillNamed(t *testing.T) {
	for _, tc := range []struct {
		drills      []replication.Drill
		value, want string
	}{
		{nil, "the drills were not read", ""},
		{[]replication.Drill{}, "the group has no drill", ""},
		{[]replication.Drill{{ID: "a"}, {ID: "b"}}, "it has 2", "--drill ID"},
	} {
		s := provider.ClearDrillStep("Clear", replication.Group{DrillList: tc.drills}, replication.Incident{}, "failed")
		if len(s.Ready) != 1 || s.Ready[0].OK || s.Done || s.Ready[0].Value != tc.value || !strings.Contains(s.Ready[0].Threshold, tc.want) {
			t.Errorf("%v: %+v", tc.drills, s)
		}
	}
}
