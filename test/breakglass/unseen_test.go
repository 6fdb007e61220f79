package breakglass_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/cloudsim"
)

// startedAgo is a daemon's status that says how long ago it started, and more.
func startedAgo(ago time.Duration, fields string) string {
	return status(fmt.Sprintf(`"started_at":%q,`, at(ago)) + fields)
}

// readAgo is a store without a majority that was read that long ago.
func readAgo(ago time.Duration) string {
	return fmt.Sprintf(`"store":{"joined":true,"error":"no majority","read_at":%q}`, at(ago))
}

const (
	neverJoined = `"store":{"joined":false}`
	neverRead   = `"store":{"joined":true,"error":"no majority"}`
)

func at(ago time.Duration) string { return time.Now().Add(-ago).UTC().Format(time.RFC3339Nano) }

// incident is one of the group, as a daemon tells it.
func (l *lab) incident(group, phase, calls string) string {
	return fmt.Sprintf(`{"id":"x","provider":"huawei_dws","group":%q,"action":"failover","phase":%q,"calls":[%s]}`, l.ids[group], phase, calls)
}

// lifelike waits for a call as long as a real provider's signature lives.
func lifelike(w *app.WithoutStore) { w.SignatureLife, w.Settle = 15*time.Minute, 2*time.Minute }

// TestCallThatNobodyHereKnows: an observer has called and has no answer; the
// provider acts three seconds later. What the machine that is left knows of it is
// what its drwatch has read of the store. For DWS a second call could swap the roles
// back.
func TestCallThatNobodyHereKnows(t *testing.T) {
	for _, c := range []struct {
		name  string
		says  func(l *lab) (status, incident string)
		wants []string
	}{
		{"never joined since its start", func(*lab) (string, string) {
			return startedAgo(time.Minute, neverJoined), ""
		}, []string{"has not read the store since its start at", "may still arrive until", "by the provider's clock", "for DWS a second call could swap the roles back"}},
		{"joined, and never read since its start", func(*lab) (string, string) {
			return startedAgo(16*time.Minute, neverRead), ""
		}, []string{"has not read the store since its start at"}},
		{"read before the intent", func(l *lab) (string, string) {
			return startedAgo(time.Hour, readAgo(time.Minute)), l.incident("warehouse", "open", "")
		}, []string{"incident x had not ended when the store was last read, at", "may still arrive until"}},
		{"read after the intent", func(l *lab) (string, string) {
			return startedAgo(time.Hour, readAgo(time.Second)), l.incident("warehouse", "executing", fmt.Sprintf(`{"started_at":%q,"outcome":""}`, at(time.Second)))
		}, []string{"a drwatch has made or meant the call of incident x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.lose()
			l.fault(cloudsim.Fault{Operation: "failover", Answer: cloudsim.Hang, Applied: "applied", Late: 3 * time.Second, Count: 1})
			first := l.elsewhere("warehouse")
			says, incident := c.says(l)
			p, err := l.fail("warehouse", func(w *app.WithoutStore) {
				lifelike(w)
				w.Daemon = answering(t, http.StatusOK, says, incident)
			})
			if end := <-first; end != nil {
				t.Errorf("the observer's own call: %v", end)
			}
			l.want("warehouse", 1, 1)
			l.refused(err, append(c.wants, "nothing was sent")...)
			if p.asked != 0 {
				t.Error("the name was asked for")
			}
		})
	}
}

// elsewhere makes a call from another machine, which stands for an observer, and
// returns once the time for its answer is over.
func (l *lab) elsewhere(group string) (done chan error) {
	l.t.Helper()
	done, sent := make(chan error, 1), make(chan struct{})
	storage := l.t.TempDir()
	go func() {
		_, err := l.fail(group, func(w *app.WithoutStore) {
			w.StoragePath, w.SignatureLife = storage, time.Minute
			w.At = func(step string) {
				if step == "outcome" {
					close(sent)
				}
			}
		})
		done <- err
	}()
	<-sent
	return done
}

// TestWhatIsKnownIsSaid: the plan says as of when the calls of observers are known,
// and where nothing stands in the way the group is failed over.
func TestWhatIsKnownIsSaid(t *testing.T) {
	read := at(5 * time.Minute)[:len("2006-01-02T15:04:05")]
	for _, c := range []struct {
		name, group, says string
		tells             []string
	}{
		{
			"never read, of another service", "disks", startedAgo(time.Minute, neverRead),
			[]string{"HAS NOT READ THE STORE since its start at", "look at the group in the provider's console first"},
		},
		{"never read, and started long ago", "warehouse", startedAgo(18*time.Minute, neverRead), []string{"HAS NOT READ THE STORE since its start at"}},
		{"read", "warehouse", startedAgo(time.Hour, readAgo(5*time.Minute)), []string{"last read the store at " + read, "What other observers have done since is not known here"}},
		{"no drwatch", "warehouse", "", []string{"NO DRWATCH ANSWERS", "look at the group in the provider's console first"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.lose()
			p, err := l.fail(c.group, func(w *app.WithoutStore) {
				lifelike(w)
				if c.says != "" {
					w.Daemon = answering(t, http.StatusOK, c.says)
				}
			})
			if err != nil {
				t.Fatalf("%v\n%s", err, p.heard())
			}
			for _, text := range c.tells {
				if !strings.Contains(p.heard(), text) {
					t.Errorf("the person is not told %q:\n%s", text, p.heard())
				}
			}
			if p.asked != 1 {
				t.Errorf("the name was asked for %d times", p.asked)
			}
			l.want(c.group, 1, 1)
		})
	}
}

// TestDaemonThatIsGone: no drwatch answers, and its own files tell when it last had
// a store to call by.
func TestDaemonThatIsGone(t *testing.T) {
	const refused = "has last written to its store at"
	for _, c := range []struct {
		name, group, file string
		wrote             time.Duration
		wants             string // "" = it is done
	}{
		{"its member a minute ago", "warehouse", "etcd/member/wal/0.wal", time.Minute, refused},
		{"what it remembers of the store, a minute ago", "warehouse", "etcd.seen.json", time.Minute, refused},
		{"a minute ago, of another service", "disks", "etcd.seen.json", time.Minute, ""},
		{"long ago", "warehouse", "etcd.seen.json", 20 * time.Minute, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.lose()
			file := filepath.Join(l.storage, c.file)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, file, "x")
			then := time.Now().Add(-c.wrote)
			if err := os.Chtimes(file, then, then); err != nil {
				t.Fatal(err)
			}
			_, err := l.fail(c.group, lifelike)
			if c.wants == "" {
				if err != nil {
					t.Error(err)
				}
				l.want(c.group, 1, 1)
				return
			}
			l.refused(err, "nothing was sent", c.wants, "may still arrive until")
			l.want(c.group, 0, 0)
		})
	}
}

// TestStartedMeanwhile: what a daemon knew is not asked of its next life.
func TestStartedMeanwhile(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.lose()
	p := &person{types: "warehouse"}
	_, err := l.fail("warehouse", func(w *app.WithoutStore) {
		w.Person, w.Daemon = p, answering(t, http.StatusOK, startedAgo(time.Hour, readAgo(time.Minute)))
		p.before = func() { *w.Daemon = *answering(t, http.StatusOK, startedAgo(time.Minute, neverRead)) }
	})
	l.refused(err, "nothing was sent", "has started here since", "run it again")
	l.want("warehouse", 0, 0)
}
