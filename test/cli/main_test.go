// Package cli_test runs the built drwatch as a person would: what it says about
// files that are wrong, which exit code it ends with, what it leaves behind, and
// whether what the documentation shows is true. It knows nothing of the inside.
package cli_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/drwatch/drwatch/test/leftover"
)

// root is the module's folder, from this one.
const root = "../.."

// nobody is a user without rights, for what a root user may not try himself.
const nobody = 65534

// built is where TestMain put the binary and where scripts work. It is set once,
// before any test runs.
var built struct {
	bin  string // the folder with drwatch
	work string // folders of scripts
	root string // the module's folder, absolute
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(withBuilt{m}, goleak.Cleanup(func(code int) { leftover.Exit(filepath.Join(built.bin, "drwatch"))(code) }))
}

type withBuilt struct{ tests *testing.M }

// Run builds drwatch and runs the tests.
func (w withBuilt) Run() int {
	code, err := w.run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func (w withBuilt) run() (code int, err error) {
	dir, err := os.MkdirTemp("", "drwatch-cli-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	built.bin, built.work = filepath.Join(dir, "bin"), filepath.Join(dir, "work")
	if built.root, err = filepath.Abs(root); err != nil {
		return 1, err
	}
	// Another user must be able to enter: see unprivileged.
	err = errors.Join(os.Chmod(dir, 0o755), os.Mkdir(built.bin, 0o755), os.Mkdir(built.work, 0o755))
	if err != nil {
		return 1, err
	}
	build := exec.Command("go", "build", "-o", built.bin, "./cmd/drwatch")
	build.Dir, build.Stdout, build.Stderr = root, os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return 1, fmt.Errorf("building drwatch: %w", err)
	}
	return w.tests.Run(), nil
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		WorkdirRoot:         built.work,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", built.bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
			e.Setenv("ROOT", built.root)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"drwatch":      ends,
			"unprivileged": unprivileged,
			"fill":         fill,
			"bytes":        writeBytes,
			"daemon":       startDaemon,
		},
	})
}

// ends is `drwatch CODE ARGS…`: it runs drwatch, which must end with the code.
func ends(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: drwatch EXIT-CODE ARGUMENT…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := exitCode(ts, ts.Exec("drwatch", args[1:]...)); got != want {
		ts.Fatalf("drwatch %s: exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

func exitCode(ts *testscript.TestScript, err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	ts.Fatalf("drwatch did not run: %v", err)
	return -1
}

// unprivileged is `unprivileged CODE FILE ARGS…`: as drwatch, by a user who is
// not root, with standard error in FILE. Root may read every file.
func unprivileged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: unprivileged EXIT-CODE FILE ARGUMENT…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	cmd := exec.Command(filepath.Join(built.bin, "drwatch"), args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	said, err := cmd.CombinedOutput()
	if got := exitCode(ts, err); got != want {
		ts.Fatalf("drwatch %s: exit code %d, want %d\n%s", strings.Join(args[2:], " "), got, want, said)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), said, 0o600))
}

// fill is `fill FILE MIB`: a file of that many MiB of comment lines.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fill FILE MIB")
	}
	mib, err := strconv.Atoi(args[1])
	ts.Check(err)
	line := "#" + strings.Repeat("-", 1022) + "\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Repeat(line, mib<<10)), 0o600))
}

// writeBytes is `bytes FILE TEXT`: the text with Go's escapes, which a script cannot
// hold itself.
func writeBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: bytes FILE TEXT")
	}
	text, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}
