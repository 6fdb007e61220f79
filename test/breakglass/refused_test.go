package breakglass_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/cloudsim"
)

const longAgo, justNow = `"started_at":"2020-01-02T03:04:05Z"`, `"started_at":"2999-01-02T03:04:05Z"`

func status(fields string) string { return `{"status":"success","data":{` + fields + `}}` }

// TestDaemonSays: what a daemon says of the store decides whether the break-glass
// may be used at all.
func TestDaemonSays(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   string // "" = it goes on
		tells  string
	}{
		{"the store answers", http.StatusOK, status(longAgo + `,"store":{"joined":true}`), "the store answers: use `drwatch failover`", ""},
		{"no majority", http.StatusOK, status(longAgo + `,"store":{"joined":true,"error":"no majority"}`), "", "no majority."},
		{"never joined", http.StatusOK, status(longAgo + `,"store":{"joined":false}`), "", "has not joined the store"},
		{"has just started", http.StatusOK, status(justNow + `,"store":{"joined":false}`), "may still join the store", ""},
		{"has just started, with an error", http.StatusOK, status(justNow + `,"store":{"error":"not running yet"}`), "may still join the store", ""},
		{"has lost the majority soon after its start", http.StatusOK, status(justNow + `,"store":{"joined":true,"error":"no majority"}`), "", "no majority."},
		{"is frozen itself", http.StatusOK, status(longAgo + `,"store":{"error":"no majority"},"local_freeze":{"who":"the file x","reason":"there"}`), "frozen beside its drwatch by the file x", ""},
		{"was frozen with all", http.StatusOK, status(longAgo + `,"store":{"error":"no majority"},"freeze":{"who":"ann","reason":"maintenance"}`), "", "THE CLUSTER WAS FROZEN when the store was last read, by ann: maintenance"},
		{"wants a token", http.StatusUnauthorized, `{}`, "does not tell whether the store does", ""},
		{"refuses", http.StatusForbidden, `{"status":"error","errorType":"forbidden","error":"no"}`, "does not tell whether the store does", ""},
		{"is something else", http.StatusOK, `<html>`, "", "no drwatch answers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			p, err := l.fail("disks", func(w *app.WithoutStore) { w.Daemon = answering(t, c.status, c.body) })
			if c.want == "" {
				if err != nil || !strings.Contains(p.heard(), c.tells) {
					t.Errorf("%v; want it done, and told %q:\n%s", err, c.tells, p.heard())
				}
				l.want("disks", 1, 1)
				return
			}
			l.refused(err, "nothing was sent", c.want)
			if p.asked != 0 {
				t.Error("the name was asked for")
			}
			l.want("disks", 0, 0)
		})
	}
}

// TestRefused: what stands in the way before anybody is asked.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		group  string
		before func(t *testing.T, l *lab, w *app.WithoutStore)
		want   []string
	}{
		{"no such group", "servers", func(_ *testing.T, _ *lab, w *app.WithoutStore) { w.Group = "server" }, []string{`there is no group "server"`, `did you mean "servers"?`}},
		{"no such account", "servers", func(_ *testing.T, _ *lab, w *app.WithoutStore) { w.Account = "srds" }, []string{`account "srds" is not configured`, "accounts: "}},
		{"another account's group", "servers", func(_ *testing.T, _ *lab, w *app.WithoutStore) { w.Account = "evs" }, []string{`there is no group "servers"`}},
		{"credentials none", "disks", func(_ *testing.T, l *lab, w *app.WithoutStore) {
			w.ConfigFile = l.configure(cloudsim.ConfigOptions{NeverActs: true})
		}, []string{"can_act", "action_credentials: none", "run it on the machine of an observer that has some"}},
		{"dry run", "disks", func(_ *testing.T, l *lab, w *app.WithoutStore) {
			w.ConfigFile = l.configure(cloudsim.ConfigOptions{Mode: "dry_run"})
		}, []string{"global.mode is dry_run"}},
		{"frozen by a file", "disks", func(t *testing.T, l *lab, _ *app.WithoutStore) {
			write(t, filepath.Join(l.storage, "FREEZE"), "")
		}, []string{"frozen beside this machine by the file", "FREEZE"}},
		{"frozen by the environment", "disks", func(_ *testing.T, _ *lab, w *app.WithoutStore) { w.Freeze = "yes" }, []string{"DRWATCH_FREEZE"}},
		{"no storage folder", "disks", func(_ *testing.T, l *lab, w *app.WithoutStore) { w.StoragePath = filepath.Join(l.storage, "typo") }, []string{"--storage.path", "typo", "one that exists"}},
		{"a daemon runs on the storage folder and was asked elsewhere", "disks", func(t *testing.T, l *lab, _ *app.WithoutStore) {
			lock, err := os.Create(filepath.Join(l.storage, "lock"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = lock.Close() })
			if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
				t.Fatal(err)
			}
		}, []string{"a drwatch runs on --storage.path", "--url"}},
		{"the provider forbids it", "servers", func(t *testing.T, l *lab, _ *app.WithoutStore) {
			if err := l.clouds.SetFaultLevel(l.ids["servers"], "5"); err != nil {
				t.Fatal(err)
			}
		}, []string{"fault_level"}},
		{"a status that forbids it", "disks", func(t *testing.T, l *lab, _ *app.WithoutStore) {
			if err := l.clouds.SetStatus(l.ids["disks"], "initial_syncing"); err != nil {
				t.Fatal(err)
			}
		}, []string{"status_allows_failover: initial_syncing"}},
		{"already failed over", "disks", func(t *testing.T, l *lab, _ *app.WithoutStore) {
			if err := l.clouds.SetStatus(l.ids["disks"], "failovered"); err != nil {
				t.Fatal(err)
			}
		}, []string{"the provider already shows it"}},
		{"the provider does not answer", "disks", func(_ *testing.T, l *lab, _ *app.WithoutStore) { l.clouds.Close() }, []string{"could not be listed"}},
		{"the journal is damaged", "disks", func(t *testing.T, l *lab, _ *app.WithoutStore) {
			if _, err := l.fail("servers"); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(l.journal(), "journal-000001.jsonl")
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			write(t, file, strings.Replace(string(b), "will call", "WILL call", 1))
			if check, err := app.CheckJournal(l.storage); err != nil || check.OK || !strings.Contains(check.Problems[0], "journal-without-store/journal-000001.jsonl:3: ") {
				t.Errorf("the check of the journals: %+v, %v", check, err)
			}
		}, []string{"is damaged", "--storage.path may name another folder"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			p, err := l.fail(c.group, func(w *app.WithoutStore) { c.before(t, l, w) })
			l.refused(err, c.want...)
			if p.asked != 0 {
				t.Error("the name was asked for")
			}
			l.want(c.group, 0, 0)
		})
	}
}

// TestOthersCalls: what a daemon tells of the group, and what it has archived, is
// looked at.
func TestOthersCalls(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	open := fmt.Sprintf(`{"id":"x","provider":"aliyun_ebs","group":%q,"action":"failover","phase":"executing","calls":[{"started_at":%q,"outcome":""}]}`,
		l.ids["disks"], time.Now().UTC().Format(time.RFC3339Nano))
	_, err := l.fail("disks", func(w *app.WithoutStore) {
		w.Daemon, w.SignatureLife = answering(t, http.StatusOK, status(longAgo+`,"store":{"error":"no majority"}`), open), time.Minute
	})
	l.refused(err, "nothing was sent", "a drwatch has made or meant the call of incident x", "it may still arrive until")
	l.want("disks", 0, 0)

	if _, err := l.fail("disks"); err != nil {
		t.Fatal(err)
	}
	err = errors.Join(os.Rename(l.journal(), filepath.Join(l.storage, "journal")), l.clouds.SetStatus(l.ids["disks"], "normal"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.fail("disks")
	l.refused(err, "not_failed_over", "moved production to cn-shanghai/cn-shanghai-b at ")
	l.want("disks", 1, 1)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestTwoAccounts: a group that two accounts list is named by account.
func TestTwoAccounts(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	b, err := os.ReadFile(l.config)
	if err != nil {
		t.Fatal(err)
	}
	_, accounts, _ := strings.Cut(string(b), "accounts:\n")
	begin := strings.Index(accounts, "    - name: ebs")
	twin := strings.Replace(accounts[begin:], "    - name: ebs", "    - name: twin\n      action_credentials: none", 1)
	write(t, l.config, string(b)+twin)
	_, err = l.fail("disks")
	l.refused(err, `2 groups are called "disks"`, "--account twin "+l.ids["disks"])
	l.want("disks", 0, 0)
	if _, err := l.fail("disks", func(w *app.WithoutStore) { w.Account, w.Group = "ebs", l.ids["disks"] }); err != nil {
		t.Fatal(err)
	}
	l.want("disks", 1, 1)
}

// TestChangedMeanwhile: what changes while the person types ends it.
func TestChangedMeanwhile(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(l *lab) error
		want   string
	}{
		{"another name typed", nil, `"no" is not the group's name`},
		{"the status", func(l *lab) error { return l.clouds.SetStatus(l.ids["disks"], "stop_failed") }, "not as it was in the plan any more"},
		{"the direction", func(l *lab) error { return l.clouds.SetStatus(l.ids["disks"], "failovered") }, "not as it was in the plan any more"},
		{"the provider", func(l *lab) error { l.clouds.Close(); return nil }, "reading the group at the provider again"},
		{"a freeze", func(l *lab) error { return os.WriteFile(filepath.Join(l.storage, "FREEZE"), nil, 0o600) }, "frozen beside this machine"},
		{"the store", nil, "the store answers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			p := &person{types: "disks"}
			_, err := l.fail("disks", func(w *app.WithoutStore) {
				w.Person = p
				switch {
				case c.name == "the store":
					p.before = func() { *w.Daemon = *answering(t, http.StatusOK, status(longAgo+`,"store":{"joined":true}`)) }
				case c.change == nil:
					p.types = "no"
				default:
					p.before = func() {
						if err := c.change(l); err != nil {
							t.Error(err)
						}
					}
				}
			})
			l.refused(err, "nothing was sent", c.want)
			if p.asked != 1 {
				t.Errorf("asked %d times, want once", p.asked)
			}
			l.want("disks", 0, 0)
		})
	}
}

// TestFullDisk: an intent that cannot be written is no call; another disk does.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	full := t.TempDir()
	if err := syscall.Mount("tmpfs", full, "tmpfs", 0, "size=64k"); err != nil {
		full = "" // no rights to mount: a folder in which nothing can be made stands in for it
	}
	l := newLab(t)
	if full == "" {
		full = filepath.Join(t.TempDir(), "storage")
		if err := errors.Join(os.Mkdir(full, 0o700), os.WriteFile(filepath.Join(full, "journal-without-store"), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		_, err := l.fail("disks", func(w *app.WithoutStore) { w.StoragePath = full })
		l.refused(err, "--storage.path may name another folder")
	} else {
		t.Cleanup(func() { _ = syscall.Unmount(full, 0) })
		p := &person{types: "disks", before: func() {
			write(t, filepath.Join(full, "fill"), strings.Repeat("x", 4096))
			f, err := os.Create(filepath.Join(full, "more"))
			for err == nil {
				_, err = f.Write(make([]byte, 512))
			}
		}}
		_, err := l.fail("disks", func(w *app.WithoutStore) { w.StoragePath, w.Person = full, p })
		l.refused(err, "the intent could not be written", "no space left", "--storage.path may name another folder")
	}
	l.want("disks", 0, 0)
	if _, err := l.fail("disks"); err != nil {
		t.Fatal(err)
	}
	l.want("disks", 1, 1)
}

// TestSlowStart: a call that cannot begin in time is not sent.
func TestSlowStart(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	began, late := time.Now(), time.Duration(0)
	_, err := l.fail("disks", func(w *app.WithoutStore) {
		w.Now = func() time.Time { return began.Add(time.Since(began) + late) }
		w.At = func(step string) {
			if step == "intent" {
				late = time.Minute // the machine was suspended
			}
		}
	})
	l.refused(err, "no byte of the call has left", "too long to send")
	l.want("disks", 0, 0)
	if _, err := l.fail("disks"); err != nil {
		t.Fatal(err)
	}
	l.want("disks", 1, 1)
}
