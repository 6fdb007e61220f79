package credentials_test

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drwatch/drwatch/internal/credentials"
)

type reading interface{ LastRead() (ok, told bool) }

func wantRead(t *testing.T, what string, r reading, ok, told bool) {
	t.Helper()
	if gotOK, gotTold := r.LastRead(); gotTold != told || told && gotOK != ok {
		t.Errorf("%s: read %v, told %v, want %v and %v", what, gotOK, gotTold, ok, told)
	}
}

// Files that cannot be read any more are told of while the keys of before serve.
func TestFilesTellThatTheyCannotBeRead(t *testing.T) {
	f := newFolder(t)
	wantRead(t, "before the first use", f.files, false, false)
	f.writeAll("1")
	f.want("at first", "111")
	wantRead(t, "at first", f.files, true, true)
	f.clock.move(time.Minute)
	for name, spoil := range map[string]func(){
		"gone":      func() { _ = os.Remove(f.path("sk")) },
		"empty":     func() { f.write("sk", "\n") },
		"two lines": func() { f.write("sk", "secret-2-hidden\nsecret-3-hidden\n") },
	} {
		spoil()
		f.want(name, "111")
		wantRead(t, name, f.files, false, true)
		f.clock.move(time.Minute)
		f.writeAll("1")
		f.want("mended", "111")
		wantRead(t, "mended after "+name, f.files, true, true)
		f.clock.move(time.Minute)
	}
}

// So is a refresh that fails while the old keys live.
func TestKeeperTellsThatARefreshFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{issue: func(n int) (credentials.Keys, error) {
			if n == 2 {
				return credentials.Keys{}, errors.New("no route")
			}
			return lived(time.Hour)(n)
		}}
		k := credentials.NewKeeper(d, time.Now, (&logs{}).logger())
		wantRead(t, "before the first use", k, false, false)
		for i, ok := range []bool{true, false, true} {
			if _, err := k.Keys(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			wantRead(t, "refresh", k, ok, true)
			<-time.After([]time.Duration{55 * time.Minute, 2 * time.Second, 0}[i])
		}
	})
}
