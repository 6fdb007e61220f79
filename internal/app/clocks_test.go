package app_test

import (
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/app"
)

// TestClocksAreCompared: each line is what the three clocks saw pass between two
// looks.
func TestClocksAreCompared(t *testing.T) {
	for _, c := range []struct {
		name          string
		now, wall     time.Duration
		boot          time.Duration
		sleeps, steps int
	}{
		{"nothing", time.Minute, time.Minute, time.Minute, 0, 0},
		{"the wall clock is slewed", time.Minute, time.Minute + 500*time.Millisecond, time.Minute, 0, 0},
		{"the machine slept", time.Minute, 9 * time.Minute, 9 * time.Minute, 1, 0},
		{"the wall clock is put forward", time.Minute, 61 * time.Minute, time.Minute, 0, 1},
		{"the wall clock is put back", time.Minute, -59 * time.Minute, time.Minute, 0, 1},
		{"it slept, and the wall clock was put right after it", time.Minute, 2 * time.Minute, 9 * time.Minute, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			wall, boot := now.Add(time.Hour), time.Duration(0)
			look := app.ClockWatch(func() time.Time { return now }, func() time.Time { return wall }, func() time.Duration { return boot })
			now, wall, boot = now.Add(c.now), wall.Add(c.wall), boot+c.boot
			for range 2 { // what was found stays, and is not found twice
				if sleeps, steps := look(); len(sleeps) != c.sleeps || len(steps) != c.steps {
					t.Errorf("%d sleeps and %d steps, want %d and %d", len(sleeps), len(steps), c.sleeps, c.steps)
				}
			}
		})
	}
}
