package chaos_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/client"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/console"
	"github.com/drwatch/drwatch/internal/replication"
)

// typist answers with what comes on the standard input.
type typist struct{}

func (typist) Show(p api.Plan) error { return console.Plan(os.Stdout, p) }

func (typist) Tell(line string) { console.Say(os.Stdout, line) }

func (typist) Ask(_ context.Context, name string) error {
	typed := bufio.NewScanner(os.Stdin)
	if !typed.Scan() || typed.Text() != name {
		return fmt.Errorf("%q is not the group's name", typed.Text())
	}
	return nil
}

// withoutStore is the command of a person at the machine of an observer.
func withoutStore(group string) int {
	daemon, err := client.New(os.Getenv("CHAOS_DAEMON"), &http.Client{Timeout: 10 * time.Second})
	if err == nil {
		err = app.FailoverWithoutStore(context.Background(), app.WithoutStore{
			ConfigFile: os.Getenv("CHAOS_CONFIG"), StoragePath: os.Getenv("CHAOS_STORAGE"), Group: group, Version: "test",
			Daemon: daemon, Person: typist{}, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
			Asked:         replication.Person{Who: "sre", From: "test", Reason: "az-a is lost, and so is the witness"},
			TrackInterval: 100 * time.Millisecond, SignatureLife: 2 * time.Second, Settle: time.Second,
		})
	}
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

// breakGlass runs the command where the observer stands, for a person who types
// the text, and gives what it said.
func (o *observer) breakGlass(group, typed string) (said string, done bool) {
	o.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		o.t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "CHAOS_GROUP="+group, "CHAOS_CONFIG="+o.config, "CHAOS_STORAGE="+o.storage, "CHAOS_DAEMON="+o.current().url)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(typed+"\n"), &out, &out
	if err := o.links.start(cmd); err != nil {
		o.t.Fatal(err)
	}
	err = cmd.Wait()
	return out.String(), err == nil
}

// oneLeft: az-a is gone with its observer, and the witness too. Nothing is done by
// itself; a person at the site that is left does it, once.
func oneLeft(w *world) {
	w.lose(cloudsim.Loss{})
	w.observers[obsA].kill()
	w.observers[obsW].kill()
	w.never()
	o := w.observers[obsB]
	w.tell("told: %s", strings.Join(strings.Fields(o.explain("servers-0")), " "))
	w.tells(o, 20*time.Second, "the coordination store has no majority")
	if said := o.explain("servers-0"); !strings.Contains(said, "ago, when the store was last read") {
		w.Errorf("explain does not say how old the votes are that it shows: %s", said)
	}
	w.eventually("its start is half a minute ago", 60*time.Second, func() bool {
		s, err := get[api.Status](o, "status")
		return err == nil && time.Since(s.StartedAt) > 31*time.Second
	})
	for _, id := range w.ids {
		g, _ := w.cloud.Group(id)
		if said, done := o.breakGlass(g.Name, "another group"); done {
			w.Errorf("another name was typed, and it went on:\n%s", said)
		}
		if n := w.cloud.EffectiveFailovers(id); n != 0 {
			w.Errorf("%s was failed over although another name was typed", g.Name)
		}
		if said, done := o.breakGlass(g.Name, g.Name); !done {
			w.Errorf("%s was not failed over:\n%s", g.Name, said)
		}
		if said, done := o.breakGlass(g.Name, g.Name); done {
			w.Errorf("%s was failed over again:\n%s", g.Name, said)
		}
	}
	w.count(1)
	w.oneCallEach()
	for _, n := range []string{obsA, obsW} { // and what comes back finds it done
		w.observers[n].start()
	}
	w.eventually("all are back and fit", 60*time.Second, w.allFit)
	w.restore()
	<-time.After(hold + settle)
	w.count(1)
	w.oneCallEach()
}
