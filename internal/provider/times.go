package provider

import (
	"strings"
	"time"
)

// zoned are the layouts that name their zone; bare ones are read in the
// account's time zone. Fractions of a second may follow the seconds of any of
// them, as time.Parse accepts them.
var (
	zoned = []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05Z07:00"}
	bare  = []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "20060102_150405"}
)

// A time outside of these bounds is not a time of a replication: it is a wrong
// unit or a placeholder.
var (
	earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Times reads the times of one account's answers.
type Times struct {
	// Meter is told of each field that cannot be read.
	Meter Meter
}

// Unix reads seconds since 1970. Zero means "none" to the provider and gives
// the zero time; anything that is not a plausible time is counted under field.
func (t Times) Unix(field string, seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	// The bounds are compared as seconds: a huge number would overflow a Time.
	if seconds < earliest.Unix() || seconds >= latest.Unix() {
		t.Meter.DecodeError(Unread{Field: field})
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// Lag is the replication lag at readAt, nil when lastSync is not known. A last
// synchronisation in the future is a problem of a clock or of the time zone: it
// is counted as "clock" and gives no lag, least of all zero.
func (t Times) Lag(readAt, lastSync time.Time) *time.Duration {
	if lastSync.IsZero() {
		return nil
	}
	lag := readAt.Sub(lastSync)
	if lag < 0 {
		t.Meter.DecodeError(Unread{Field: "clock"})
		return nil
	}
	return &lag
}

// ParseTime reads a time in any of the vendors' formats; one without a zone is
// in zone, or UTC when that is nil.
func ParseTime(text string, zone *time.Location) (time.Time, bool) {
	text = strings.TrimSpace(text)
	if zone == nil {
		zone = time.UTC
	}
	for _, layout := range zoned {
		if at, err := time.Parse(layout, text); err == nil {
			return plausible(at)
		}
	}
	for _, layout := range bare {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return plausible(at)
		}
	}
	return time.Time{}, false
}

func plausible(at time.Time) (time.Time, bool) {
	if at.Before(earliest) || !at.Before(latest) {
		return time.Time{}, false
	}
	return at.UTC(), true
}
