package dws

import (
	"strconv"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// minVersion is the first cluster version that can be failed over.
var minVersion = [3]int{8, 1, 2}

// versionCondition: both clusters must be new enough, where they tell their
// version.
func versionCondition(primary, standby cluster) replication.Condition {
	c := replication.Condition{Name: "version", Value: "not told", Threshold: "8.1.2 or later, where told", OK: true}
	var told []string
	for _, cl := range []cluster{primary, standby} {
		if cl.versionBroken {
			c.OK = false
			told = append(told, "unreadable")
		}
		if cl.version == "" {
			continue
		}
		told = append(told, cl.version)
		c.OK = c.OK && newEnough(cl.version)
	}
	if len(told) > 0 {
		c.Value = strings.Join(told, " and ")
	}
	return c
}

// newEnough compares the first three numbers of a version such as 8.1.3.310. A
// version that cannot be read is not new enough.
func newEnough(version string) bool {
	parts := strings.Split(version, ".")
	for i, least := range minVersion {
		if i >= len(parts) {
			return false
		}
		n, err := strconv.Atoi(parts[i])
		if err != nil || n < least {
			return false
		}
		if n > least {
			return true
		}
	}
	return true
}

// objective is the account's own objective, else the period of the
// synchronisation: "20m", "2H" or "1d".
func objective(seen sight, own *time.Duration) *time.Duration {
	if own != nil || seen.detail == nil {
		return own
	}
	text := seen.detail.Text("dr_sync_period")
	if text == "" {
		return nil
	}
	period, ok := parsePeriod(text)
	if !ok {
		seen.detail.Note("dr_sync_period")
		return nil
	}
	return &period
}

func parsePeriod(text string) (time.Duration, bool) {
	number, unit := text[:len(text)-1], text[len(text)-1]
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > 3000 {
		return 0, false
	}
	switch unit {
	case 'm':
		return time.Duration(n) * time.Minute, true
	case 'H', 'h':
		return time.Duration(n) * time.Hour, true
	case 'd':
		return time.Duration(n) * 24 * time.Hour, true
	}
	return 0, false
}
