package provider_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/drwatch/drwatch/internal/provider"
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
