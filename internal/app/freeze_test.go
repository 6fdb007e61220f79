package app_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/app"
	"github.com/drwatch/drwatch/internal/replication"
)

// TestLocalFreeze: whatever stands at the file's place freezes, and so does not
// being able to know. Only its plain absence lets the observer act.
func TestLocalFreeze(t *testing.T) {
	const unknown = "is not known"
	for _, c := range []struct {
		name, variable string
		do             func(folder string) error
		want           string // in the text; "": not frozen
	}{
		{"nothing", "", func(string) error { return nil }, ""},
		{"a file of another name", "", func(f string) error { return os.WriteFile(filepath.Join(f, "FREEZE.old"), nil, 0o600) }, ""},
		{"an empty file", "", func(f string) error { return os.WriteFile(filepath.Join(f, "FREEZE"), nil, 0) }, "there since "},
		{"a folder", "", func(f string) error { return os.Mkdir(filepath.Join(f, "FREEZE"), 0o700) }, "there since "},
		{"a link to nowhere", "", func(f string) error { return os.Symlink("nowhere", filepath.Join(f, "FREEZE")) }, "there since "},
		{"the folder is gone", "", os.Remove, unknown},
		{"another folder in its place", "", func(f string) error { return errors.Join(os.Rename(f, f+".old"), os.Mkdir(f, 0o700)) }, unknown},
		{"it cannot be looked at", "", func(f string) error { return errors.Join(os.Remove(f), os.WriteFile(f, nil, 0o600)) }, unknown},
		{"the variable", "no", func(string) error { return nil }, "DRWATCH_FREEZE: set"},
		{"the variable of one space", " ", func(string) error { return nil }, "DRWATCH_FREEZE: set"},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "data")
			if err := os.Mkdir(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			look, err := app.LocalFreeze(app.Options{StoragePath: folder, Freeze: c.variable, Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			if f := look(); (f != nil) != (c.variable != "") {
				t.Errorf("before: %+v", f)
			}
			if err := c.do(folder); err != nil {
				t.Fatal(err)
			}
			f := look()
			if (f != nil) != (c.want != "") {
				t.Fatalf("%+v, want %q", f, c.want)
			}
			if f != nil && (!strings.Contains(f.Who+": "+f.Reason, c.want) || c.variable == "" && !strings.Contains(f.Who, filepath.Join(folder, "FREEZE"))) {
				t.Errorf("%s: %s; want %q and the path", f.Who, f.Reason, c.want)
			}
		})
	}
}

// TestFreezeWithoutTheStore: who cannot freeze the cluster is told of the file
// that needs no store, with its path.
func TestFreezeWithoutTheStore(t *testing.T) {
	folder, away := t.TempDir(), errors.New("no majority")
	got, err := app.NotFrozen(app.Options{StoragePath: folder, Now: time.Now}, away)
	if err != nil || !errors.Is(got, away) || !strings.Contains(got.Error(), filepath.Join(folder, "FREEZE")) {
		t.Errorf("got %v, %v; want the error and the path of the file", got, err)
	}
	if got, err := app.NotFrozen(app.Options{StoragePath: folder, Now: time.Now}, nil); got != nil || err != nil {
		t.Errorf("a freeze that was taken: %v, %v", got, err)
	}
}

// TestFreezeIsToldAgain: once when it begins or changes, every hour while it
// lasts, and when it ends.
func TestFreezeIsToldAgain(t *testing.T) {
	var out bytes.Buffer
	tell := app.FrozenTold(slog.New(slog.NewTextHandler(&out, nil)))
	all, local := &replication.Freeze{Who: "ann", Reason: "patch"}, &replication.Freeze{Who: "the file F", Reason: "there"}
	for _, c := range []struct {
		after      time.Duration
		all, local *replication.Freeze
		want       string // of the one line that is logged; "": none
	}{
		{0, nil, nil, ""},
		{time.Minute, all, nil, "frozen: nothing"},
		{2 * time.Minute, all, nil, ""},
		{60 * time.Minute, all, nil, ""},
		{61 * time.Minute, all, nil, "still frozen"},
		{62 * time.Minute, all, nil, ""},
		{63 * time.Minute, all, local, "the file F: there"},
		{122 * time.Minute, nil, local, ""},
		{123 * time.Minute, nil, local, "lasts=2h2m0s"},
		{124 * time.Minute, nil, nil, "lasted=2h3m0s"},
		{300 * time.Minute, nil, nil, ""},
		{301 * time.Minute, nil, local, "this_observer_alone=true"},
	} {
		out.Reset()
		tell(time.Unix(0, 0).Add(c.after), c.all, c.local)
		if got := out.String(); (got == "") != (c.want == "") || !strings.Contains(got, c.want) || strings.Count(got, "\n") > 1 {
			t.Errorf("at %s: %q, want %q", c.after, got, c.want)
		}
	}
}
