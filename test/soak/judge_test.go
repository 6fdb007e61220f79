package main

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestJudge shows the judge half an hour in which one quantity does what the row says,
// and all others stay.
func TestJudge(t *testing.T) {
	minutes := func(at time.Duration) float64 { return at.Minutes() }
	for _, tt := range []struct {
		name, quantity string
		value          func(at time.Duration, n int) float64
		grows          bool
	}{
		{"nothing", "goroutines", func(time.Duration, int) float64 { return 50 }, false},
		{"a goroutine a minute", "goroutines", func(at time.Duration, _ int) float64 { return 50 + minutes(at) }, true},
		{"a file every five minutes is what the bound allows", "open files", func(at time.Duration, _ int) float64 { return 25 + float64(int(minutes(at)/5)) }, false},
		{"a file every minute and a half", "open files", func(at time.Duration, _ int) float64 { return 25 + minutes(at)/1.5 }, true},
		{"6 MiB an hour in a heap that swings", "heap MiB", func(at time.Duration, n int) float64 { return (12 + 0.1*minutes(at) + float64(n%5)/3) * mib }, true},
		{"a heap that swings", "heap MiB", func(_ time.Duration, n int) float64 { return (12 + float64(n%5)/3) * mib }, false},
		{"a heap that fills in the warm-up", "heap MiB", func(at time.Duration, _ int) float64 { return (5 + min(10, minutes(at))) * mib }, false},
		{"what comes and goes", "goroutines", func(_ time.Duration, n int) float64 { return float64(50 + n%20) }, false},
		{"what goes less and less", "goroutines", func(at time.Duration, n int) float64 { return 50 + float64(n%20)/20*5*minutes(at) }, true},
		{"a journal", "journal MiB", func(at time.Duration, _ int) float64 { return minutes(at) * mib }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var all []sample
			for n := range 180 {
				s := sample{daemon: "obs", at: time.Duration(n) * 10 * time.Second, age: time.Hour, values: map[string]float64{}}
				for _, q := range quantities() {
					s.values[q.name] = 10 * q.unit
				}
				s.values[tt.quantity] = tt.value(s.at, n)
				all = append(all, s)
			}
			table, grows := judge(all)
			switch {
			case !tt.grows && len(grows) != 0:
				t.Errorf("grows: %q\n%s", grows, table)
			case tt.grows && (len(grows) != 1 || !strings.HasPrefix(grows[0], "obs, "+tt.quantity+":")):
				t.Errorf("grows: %q, want %s alone\n%s", grows, tt.quantity, table)
			}
		})
	}
}

func TestWhatIsNotMeasuredIsNotFlat(t *testing.T) {
	var all []sample
	for n := range 180 {
		all = append(all, sample{daemon: "obs", at: time.Duration(n) * 10 * time.Second, age: time.Hour, values: map[string]float64{"goroutines": 10}})
	}
	if _, grows := judge(all); !strings.Contains(strings.Join(grows, "\n"), "obs, open files: it was not measured") {
		t.Errorf("grows: %q", grows)
	}
}
