package credentials_test

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

// key is a key pair by number. All secrets of these tests have "hidden" in them.
func key(n int) cloudsim.Credential {
	return cloudsim.Credential{AccessKey: fmt.Sprintf("ACCESSHIDDEN%08d", n), SecretKey: fmt.Sprintf("secret-hidden-%026d", n)}
}

// TestRotationLosesNoPoll rotates the keys in the files again and again under a
// daemon that polls four providers: the new pair is made known, its
// files are written one after the other with polls in between, and the old pair
// is withdrawn while requests that were signed with it are still on their way.
func TestRotationLosesNoPoll(t *testing.T) {
	c := newClouds(t, cloudsim.Options{Credentials: []cloudsim.Credential{key(0)}, Latency: 60 * time.Millisecond})
	d := start(t, c, "", func(doc) {})
	d.up()
	for n := 1; n <= 6; n++ {
		c.SetCredentials(key(n-1), key(n))
		midst(t, c)
		write(t, filepath.Join(d.dir, "secrets/access-key"), key(n).AccessKey+"\n")
		// One time long enough for polls to meet files of which only one is new, one
		// time so short that a request of the poll is still on its way at the end.
		pause(t, []time.Duration{400 * time.Millisecond, 15 * time.Millisecond}[n%2])
		write(t, filepath.Join(d.dir, "secrets/secret-key"), key(n).SecretKey+"\n")
		c.SetCredentials(key(n))
		d.further(2)
	}
	if log := d.logs.String(); strings.Contains(log, "poll is not complete") {
		t.Error("a poll was lost")
	} else if got := strings.Count(log, "the new keys are used"); got != 6 {
		t.Errorf("%d changes are in the log, want 6: one for all accounts that share the files", got)
	}
	refused := 0.0
	for labels, v := range d.series("drwatch_provider_requests_total") {
		// Of the account that has no other endpoint to fall back on.
		if strings.Contains(labels, `account="sdrs"`) && strings.Contains(labels, `code="401"`) {
			refused += v
		}
	}
	if refused == 0 {
		t.Error("no request met the withdrawal of its keys: this proves nothing")
	}
	t.Logf("%.0f requests were refused and made again", refused)

	// Without new keys in the files a withdrawal is what it is, and is not tried
	// again and again.
	c.SetCredentials(key(99))
	d.allAt(0)
	d.noSecrets("HIDDEN", "hidden")
}

// midst waits until a poll has just made the first of its requests, of which each
// takes 60 ms.
func midst(t *testing.T, c *cloudsim.Cloud) {
	t.Helper()
	calls := func() int { return c.Calls(replication.HuaweiSDRS, "ListProtectionGroups") }
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(time.Minute)
	for before := calls(); calls() == before; {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("no poll within a minute")
		}
	}
}

func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// TestClockSkew compares the metric with clouds whose clock is another: by less
// than they accept in a signature, and by more.
func TestClockSkew(t *testing.T) {
	for _, skew := range []time.Duration{5 * time.Minute, -20 * time.Minute} {
		t.Run(skew.String(), func(t *testing.T) {
			c := newClouds(t, cloudsim.Options{Now: func() time.Time { return time.Now().Add(skew) }})
			d := start(t, c, "", func(doc) {})
			var told map[string]float64
			eventually(t, "all accounts have been polled", func() bool {
				told = d.series("drwatch_account_clock_skew_seconds")
				return len(told) == d.accounts && len(d.series("drwatch_account_up")) == d.accounts
			})
			for account, v := range told {
				if math.Abs(v-skew.Seconds()) > 3 { // the header has whole seconds
					t.Errorf("%s: %g, want %g", account, v, skew.Seconds())
				}
			}
			want := 1.0
			if skew.Abs() > 15*time.Minute {
				want = 0
			}
			for account, v := range d.series("drwatch_account_up") {
				if v != want {
					t.Errorf("%s: up is %g with a skew of %s", account, v, skew)
				}
			}
		})
	}
}
