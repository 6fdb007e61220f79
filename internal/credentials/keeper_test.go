package credentials_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/credentials"
)

// desk issues keys as a test tells it to.
type desk struct {
	issued atomic.Int32
	issue  func(n int) (credentials.Keys, error)
	took   time.Duration
}

func (d *desk) Issue(ctx context.Context) (credentials.Keys, error) {
	n := int(d.issued.Add(1))
	if d.took > 0 {
		timer := time.NewTimer(d.took)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return credentials.Keys{}, ctx.Err()
		}
	}
	return d.issue(n)
}

// lived issues keys that live for a time, new ones each time.
func lived(life time.Duration) func(n int) (credentials.Keys, error) {
	return func(n int) (credentials.Keys, error) { return temporary(n, time.Now().Add(life)), nil }
}

// ask gives the number of the keys in use now, 0 with an error.
func ask(t *testing.T, k *credentials.Keeper) (int, error) {
	t.Helper()
	got, err := k.Keys()
	if err != nil {
		if strings.Contains(err.Error(), "hidden") {
			t.Errorf("the error holds a secret: %v", err)
		}
		return 0, err
	}
	for n := range 100 {
		if got.Same(temporary(n, time.Time{})) {
			return n, nil
		}
	}
	t.Fatal("the keys are nobody's")
	return 0, nil
}

// TestOneRefreshForAll has fifty ask while nothing is held, and fifty while the
// keys held are due: one refresh each, and the second fifty do not wait.
func TestOneRefreshForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{issue: lived(time.Hour), took: 2 * time.Second}
		k := credentials.NewKeeper(d, time.Now, (&logs{}).logger())
		fifty := func(want int, longest time.Duration) {
			t.Helper()
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					began := time.Now()
					if n, err := ask(t, k); n != want || err != nil {
						t.Errorf("keys %d, error %v, want %d", n, err, want)
					}
					if took := time.Since(began); took > longest {
						t.Errorf("waited %s", took)
					}
				})
			}
			wg.Wait()
		}
		fifty(1, 2*time.Second)
		if n := d.issued.Load(); n != 1 {
			t.Errorf("%d refreshes for fifty at once, want 1", n)
		}
		time.Sleep(50 * time.Minute)
		fifty(1, 0)
		fifty(1, 0)
		time.Sleep(3 * time.Second)
		fifty(2, 0)
		if n := d.issued.Load(); n != 2 {
			t.Errorf("%d refreshes, want 2", n)
		}
	})
}

// TestWhenKeysAreRenewed asks once a second and notes how often the issuer is
// asked, and when for the second time.
func TestWhenKeysAreRenewed(t *testing.T) {
	for _, c := range []struct {
		name   string
		life   time.Duration
		second time.Duration // after the start
	}{
		{"a day: a fifth before the end", 24 * time.Hour, 24*time.Hour - 24*time.Hour/5},
		{"twenty minutes: five before the end", 20 * time.Minute, 15 * time.Minute},
		{"four minutes: not before the half", 4 * time.Minute, 2 * time.Minute},
		{"ten seconds: not before the half", 10 * time.Second, 5 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk{issue: lived(c.life)}
				k := credentials.NewKeeper(d, time.Now, (&logs{}).logger())
				began := time.Now()
				for d.issued.Load() < 2 {
					if _, err := ask(t, k); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
					if d.issued.Load() < 2 {
						time.Sleep(time.Second)
					}
				}
				if got := time.Since(began); got != c.second {
					t.Errorf("renewed after %s, want %s", got, c.second)
				}
			})
		})
	}
}

// TestIssuerThatGivesTheSame gives the same keys until they have ended, as a
// metadata service may: it is asked now and then, not on each use.
func TestIssuerThatGivesTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := time.Now().Add(time.Hour)
		d := &desk{issue: func(int) (credentials.Keys, error) { return temporary(1, end), nil }}
		k := credentials.NewKeeper(d, time.Now, (&logs{}).logger())
		for time.Now().Before(end) {
			if n, err := ask(t, k); n != 1 || err != nil {
				t.Fatalf("keys %d, error %v", n, err)
			}
			time.Sleep(time.Second)
		}
		if n := d.issued.Load(); n < 10 || n > 30 {
			t.Errorf("asked %d times in the last twelve minutes of an hour, want about once a minute", n)
		}
		if _, err := ask(t, k); err == nil || !strings.Contains(err.Error(), "expired") {
			t.Errorf("expired keys are given out, error %v", err)
		}
	})
}

// TestFailedRefresh shows that the old keys serve until they end, that the
// issuer is not asked at each use meanwhile, and that new ones are taken at once.
func TestFailedRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := atomic.Bool{}
		d := &desk{issue: func(n int) (credentials.Keys, error) {
			if down.Load() {
				return credentials.Keys{}, errors.New("nobody at the desk")
			}
			return temporary(n, time.Now().Add(time.Hour)), nil
		}}
		l := &logs{}
		k := credentials.NewKeeper(d, time.Now, l.logger())
		if n, err := ask(t, k); n != 1 || err != nil {
			t.Fatalf("keys %d, error %v", n, err)
		}
		down.Store(true)
		for range 3599 {
			time.Sleep(time.Second)
			asked := d.issued.Load()
			for range 3 {
				if n, err := ask(t, k); n != 1 || err != nil {
					t.Fatalf("the old keys live, got keys %d, error %v", n, err)
				}
				synctest.Wait() // for the refresh, if one was begun
			}
			if n := d.issued.Load() - asked; n > 1 {
				t.Fatalf("asked %d times by three uses in one moment", n)
			}
		}
		if n := d.issued.Load(); n < 15 || n > 40 {
			t.Errorf("asked %d times in twelve minutes, want a back-off of up to 30s", n)
		}
		time.Sleep(time.Second)
		asked := d.issued.Load()
		for range 100 {
			_, err := ask(t, k)
			if err == nil || !strings.Contains(err.Error(), "expired at") || !strings.Contains(err.Error(), "nobody at the desk") {
				t.Fatalf("the keys have ended, error %v", err)
			}
		}
		if n := d.issued.Load() - asked; n > 1 {
			t.Errorf("asked %d times by a hundred uses in one moment", n)
		}
		down.Store(false)
		time.Sleep(31 * time.Second)
		if n, err := ask(t, k); n < 2 || err != nil {
			t.Errorf("keys %d, error %v", n, err)
		}
		if strings.Contains(l.String(), "hidden") {
			t.Errorf("the log holds a secret: %s", l)
		}
	})
}

// TestRefusedKeys asks the issuer when the provider refuses keys that should
// live, but not for each refusal.
func TestRefusedKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{issue: func(n int) (credentials.Keys, error) { return temporary((n+2)/3, time.Now().Add(24*time.Hour)), nil }}
		k := credentials.NewKeeper(d, time.Now, (&logs{}).logger())
		for range 150 {
			held, err := k.Keys()
			if err != nil {
				t.Fatal(err)
			}
			if held.Same(temporary(1, time.Time{})) {
				k.Refused(held)
			}
			time.Sleep(time.Second)
		}
		k.Refused(temporary(1, time.Time{})) // an answer that came late
		time.Sleep(10 * time.Minute)
		if n, err := ask(t, k); n != 1 || err != nil {
			t.Errorf("keys %d, error %v", n, err)
		}
		time.Sleep(time.Second)
		if n, err := ask(t, k); n != 2 || err != nil {
			t.Errorf("keys %d, error %v", n, err)
		}
		if n := d.issued.Load(); n != 4 {
			t.Errorf("asked %d times, want at the start and once a minute", n)
		}
	})
}

func TestKeysWithoutAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{issue: func(n int) (credentials.Keys, error) { return temporary(n, time.Time{}), nil }}
		k := credentials.NewKeeper(d, time.Now, (&logs{}).logger())
		for range 299 {
			if n, err := ask(t, k); n != 1 || err != nil {
				t.Fatalf("keys %d, error %v", n, err)
			}
			time.Sleep(time.Second)
		}
		if !k.Expires().IsZero() {
			t.Errorf("an end is told: %s", k.Expires())
		}
		time.Sleep(time.Second)
		_, _ = ask(t, k)
		synctest.Wait()
		if n, err := ask(t, k); n != 2 || err != nil {
			t.Errorf("after five minutes keys %d, error %v", n, err)
		}
	})
}

func TestKeysThatHaveExpiredAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := credentials.NewKeeper(&desk{issue: lived(-time.Second)}, time.Now, (&logs{}).logger())
		if _, err := ask(t, k); err == nil || !strings.Contains(err.Error(), "is this machine's clock right?") {
			t.Errorf("error %v", err)
		}
	})
}
