package provider_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider"
)

func TestParseTime(t *testing.T) {
	shanghai := time.FixedZone("CST", 8*3600)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		text string
		zone *time.Location
		want time.Time // zero: not a time
	}{
		{"2026-01-02T03:04:05.678Z", nil, at.Add(678 * time.Millisecond)},
		{"2026-01-02T03:04:05Z", shanghai, at},
		{"2026-01-02T11:04:05+08:00", nil, at},
		{"2026-01-02T11:04:05+0800", nil, at},
		{"2026-01-02 03:04:05Z", nil, at},
		{"2026-01-02 03:04:05.0", nil, at},
		{"2026-01-02 03:04:05", nil, at},
		{" 2026-01-02 11:04:05 ", shanghai, at},
		{"2026-01-02T03:04:05.904376", nil, at.Add(904376 * time.Microsecond)},
		{"2026-01-02 03:04", nil, at.Truncate(time.Minute)},
		{"20260102_030405", nil, at},
		{"20260102_110405", shanghai, at},
		{"", nil, time.Time{}},
		{"null", nil, time.Time{}},
		{"N/A", nil, time.Time{}},
		{"0", nil, time.Time{}},
		{"1767323045", nil, time.Time{}},
		{"0001-01-01T00:00:00Z", nil, time.Time{}},
		{"1970-01-01 00:00:00", nil, time.Time{}},
		{"2026-02-30 00:00:00", nil, time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, ok := provider.ParseTime(tt.text, tt.zone)
			if ok == tt.want.IsZero() || !got.Equal(tt.want) {
				t.Errorf("ParseTime(%q) = %v, %v, want %v", tt.text, got, ok, tt.want)
			}
		})
	}
}

func TestTimesCountWhatTheyCannotRead(t *testing.T) {
	m := &meter{}
	times := provider.Times{Meter: m}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

	for _, seconds := range []int64{1, -5, 1767323045000, 1<<63 - 1, -1 << 63} {
		if got := times.Unix("LastRecoverPoint", seconds); !got.IsZero() {
			t.Errorf("Unix(%d) = %v, want none", seconds, got)
		}
	}
	if got := times.Unix("LastRecoverPoint", 0); !got.IsZero() {
		t.Errorf("Unix(0) = %v, want none", got)
	}
	if got := times.Unix("LastRecoverPoint", now.Unix()); !got.Equal(now) {
		t.Errorf("Unix = %v, want %v", got, now)
	}
	if got := times.Lag(now, now.Add(-4*time.Second)); got == nil || *got != 4*time.Second {
		t.Errorf("Lag = %v, want 4s", got)
	}
	if got := times.Lag(now, now); got == nil || *got != 0 {
		t.Errorf("Lag = %v, want 0s", got)
	}
	if got := times.Lag(now, time.Time{}); got != nil {
		t.Errorf("Lag without a last synchronisation = %v, want none", *got)
	}
	if got := times.Lag(now, now.Add(time.Second)); got != nil {
		t.Errorf("Lag of the future = %v, want none", *got)
	}
	want := map[string]int{"LastRecoverPoint": 5, "clock": 1}
	if diff := cmp.Diff(want, m.decode); diff != "" {
		t.Errorf("decode errors (-want +got):\n%s", diff)
	}
}

// Every form that one of the services writes a time in, in every zone: one that
// names its own is the same moment everywhere, any other is the zone's.
func TestEveryFormInEveryZone(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	const second, minute = 0, 1
	forms := []struct {
		whose, text string
		zoned       bool
		fraction    time.Duration
		to          int // the smallest unit that it tells
	}{
		{"SDRS groups, as documented", "2026-07-02 03:04:05.6", false, 600 * time.Millisecond, second},
		{"SDRS groups, as in the SDK", "2026-07-02T03:04:05Z", true, 0, second},
		{"SDRS pairs", "2026-07-02T03:04:05.678901", false, 678901 * time.Microsecond, second},
		{"SDRS jobs", "2026-07-02T03:04:05.678Z", true, 678 * time.Millisecond, second},
		{"SDRS statistics", "2026-07-02 03:04", false, 0, minute},
		{"SDRS statistics, as asked for", "2026-07-02 03:04:05.678", false, 678 * time.Millisecond, second},
		{"EVS", "2026-07-02T03:04:05.904376", false, 904376 * time.Microsecond, second},
		{"DWS", "2026-07-02 03:04:05", false, 0, second},
		{"DWS samples", "2026-07-02T03:04:05", false, 0, second},
		{"DWS keys", "20260702_030405", false, 0, second},
		{"Alibaba's ISO 8601", "2026-07-02T03:04:05Z", true, 0, second},
		{"an offset of its own", "2026-07-02T03:04:05+00:00", true, 0, second},
	}
	for _, zone := range []*time.Location{nil, time.UTC, time.FixedZone("Shanghai", 8*3600), newYork, time.FixedZone("St. John's", -3*3600-1800)} {
		for _, f := range forms {
			in := time.UTC
			if zone != nil && !f.zoned {
				in = zone
			}
			want := time.Date(2026, 7, 2, 3, 4, 5, int(f.fraction), in)
			if f.to == minute {
				want = want.Truncate(time.Minute)
			}
			if got, ok := provider.ParseTime(f.text, zone); !ok || !got.Equal(want) || got.Location() != time.UTC {
				t.Errorf("%s in %v: %q is %v, %t, want %v", f.whose, zone, f.text, got, ok, want.UTC())
			}
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2026-01-02 03:04:05.0", "20260102_030405", "", "2026-01-02T03:04:05Z", "2026-01-02 03:04", "2026-01-02T03:04:05+0800"} {
		f.Add(s, 8*3600)
	}
	f.Fuzz(func(t *testing.T, text string, offset int) {
		at, ok := provider.ParseTime(text, nil)
		if ok == at.IsZero() {
			t.Fatalf("ParseTime(%q) = %v, %v", text, at, ok)
		}
		if ok && (at.Year() < 2000 || at.Year() >= 2200) {
			t.Fatalf("ParseTime(%q) = %v", text, at)
		}
		// Elsewhere it is the same moment, or the same clock.
		offset %= 12 * 3600
		there, known := provider.ParseTime(text, time.FixedZone("there", offset))
		if ok && known && !there.Equal(at) && !there.Add(time.Duration(offset)*time.Second).Equal(at) {
			t.Fatalf("ParseTime(%q) = %v, and %v at offset %ds", text, at, there, offset)
		}
	})
}
