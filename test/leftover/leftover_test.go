package leftover_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/drwatch/drwatch/test/leftover"
)

// TestMain is also a package's tests that leave a process or none, and that
// process, which ends with its input.
func TestMain(m *testing.M) {
	switch os.Getenv("LEFTOVER") {
	case "process":
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	case "leaves":
		cmd := exec.Command(os.Args[0], "left", "behind")
		cmd.Env, cmd.Stdin = append(os.Environ(), "LEFTOVER=process"), os.Stdin
		if err := cmd.Start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		leftover.Exit()(0)
	case "clean":
		leftover.Exit()(0)
	case "failed":
		leftover.Exit()(7)
	}
	goleak.VerifyTestMain(m)
}

func TestExit(t *testing.T) {
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "package.test") // another one than this, which runs
	if err := os.WriteFile(program, self, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, tests string
		code        int
		says        string
	}{
		{"nothing is left", "clean", 0, ""},
		{"a process is left", "leaves", 1, " left behind"},
		{"the tests have failed", "failed", 7, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command(program)
			cmd.Env = append(os.Environ(), "LEFTOVER="+tt.tests)
			if _, err := cmd.StdinPipe(); err != nil { // it closes when the program has ended
				t.Fatal(err)
			}
			out, _ := cmd.CombinedOutput() // the code tells
			if code := cmd.ProcessState.ExitCode(); code != tt.code || !strings.Contains(string(out), tt.says) {
				t.Errorf("exit code %d and %q, want %d and %q", code, out, tt.code, tt.says)
			}
		})
	}
}
