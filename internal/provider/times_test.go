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

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2026-01-02 03:04:05.0", "20260102_030405", "", "2026-01-02T03:04:05Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, ok := provider.ParseTime(text, nil)
		if ok == at.IsZero() {
			t.Fatalf("ParseTime(%q) = %v, %v", text, at, ok)
		}
		if ok && (at.Year() < 2000 || at.Year() >= 2200) {
			t.Fatalf("ParseTime(%q) = %v", text, at)
		}
	})
}
