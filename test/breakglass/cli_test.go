package breakglass_test

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/drwatch/drwatch/internal/cloudsim"
)

// build makes the binary that a person has.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "drwatch")
	cmd := exec.Command("go", "build", "-o", bin, "./cmd/drwatch")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building drwatch: %v\n%s", err, out)
	}
	return bin
}

// asTyped are the arguments of the break-glass for a lab, and more.
func (l *lab) asTyped(group string, more ...string) []string {
	return append([]string{"failover", group, "--without-store", "--config.file", l.config, "--storage.path", l.storage, "--url", nobody}, more...)
}

// TestCommandLine runs the built drwatch as a person would.
func TestCommandLine(t *testing.T) {
	bin := build(t)
	l := newLab(t)
	l.lose()
	for _, c := range []struct {
		name  string
		args  []string
		stdin string
		code  int
		want  string
		moved int
	}{
		{"without a reason", l.asTyped("disks"), "disks\n", 1, "--reason is required", 0},
		{"with --yes", l.asTyped("disks", "--reason", "lost", "--yes"), "", 1, "--without-store knows no --yes", 0},
		{"as JSON", l.asTyped("disks", "--dry-run", "-o", "json"), "", 1, "prints for a person only", 0},
		{"its flags without it", []string{"failover", "disks", "--reason", "lost", "--config.file", l.config}, "", 1, "are for --without-store", 0},
		{"of another action", []string{"switchover", "disks", "--without-store", "--reason", "lost"}, "", 1, "unknown long flag '--without-store'", 0},
		{"no configuration", []string{"failover", "disks", "--without-store", "--config.file", "/nowhere.yml", "--reason", "lost"}, "disks\n", 1, "/nowhere.yml", 0},
		{"dry run", l.asTyped("disks", "--dry-run"), "", 0, "WITHOUT THE STORE", 0},
		{"nothing on the standard input", l.asTyped("disks", "--reason", "lost"), "", 1, "the group's name was not typed", 0},
		{"a line that has no end", l.asTyped("disks", "--reason", "lost"), "disks", 1, "the input ended before a whole line", 0},
		{"a y", l.asTyped("disks", "--reason", "lost"), "y\n", 1, `"y" is not the group's name`, 0},
		{"nearly the name", l.asTyped("disks", "--reason", "lost"), "disks \n", 1, `"disks " is not the group's name`, 0},
		{"the id instead of the name", l.asTyped("disks", "--reason", "lost"), l.ids["disks"] + "\n", 1, "is not the group's name", 0},
		{"the name", l.asTyped("disks", "--reason", "lost"), "disks\n", 0, "succeeded: production of disks is at cn-shanghai", 1},
		{"the name again", l.asTyped("disks", "--reason", "lost"), "disks\n", 1, "the provider already shows it", 1},
		{"its journal", []string{"journal", "verify", "--storage.path", l.storage}, "", 0, "3 entries of what persons did without the store", 1},
	} {
		cmd := exec.Command(bin, c.args...)
		cmd.Stdin = strings.NewReader(c.stdin)
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(flat(string(out)), c.want) {
			t.Errorf("%s: exit code %d (%v), want %d and %q:\n%s", c.name, code, err, c.code, c.want, out)
		}
		if n := l.clouds.EffectiveFailovers(l.ids["disks"]); n != c.moved {
			t.Errorf("%s: %d effective failovers, want %d", c.name, n, c.moved)
		}
		l.noSecrets(c.name, out)
	}
	l.want("disks", 1, 1)
	l.interrupted(bin)
	err := filepath.WalkDir(l.storage, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		l.noSecrets(path, b)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func (l *lab) noSecrets(where string, text []byte) {
	l.t.Helper()
	if bytes.Contains(text, []byte(cloudsim.SecretKey)) || bytes.Contains(text, []byte(cloudsim.AccessKey)) {
		l.t.Errorf("%s shows a key:\n%s", where, text)
	}
}

// interrupted sends SIGINT while the call is followed.
func (l *lab) interrupted(bin string) {
	l.t.Helper()
	l.fault(cloudsim.Fault{Operation: "failover", Fate: cloudsim.Stuck})
	cmd := exec.Command(bin, l.asTyped("servers", "--reason", "lost")...)
	cmd.Stdin = strings.NewReader("servers\n")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err = errors.Join(err, cmd.Start()); err != nil {
		l.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "waiting for the provider's proof") {
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				l.t.Error(err)
			}
		}
	}
	err = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "it goes on at the provider") {
		l.t.Errorf("interrupted, it ended with %v:\n%s", err, stderr.String())
	}
	l.noSecrets("interrupted", stderr.Bytes())
	l.want("servers", 0, 1)
}
