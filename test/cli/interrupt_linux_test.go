package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestInterruptEndsOnlyTheFollowing: what was started goes on, and the person is
// told how to find it again and how to end it.
func TestInterruptEndsOnlyTheFollowing(t *testing.T) {
	asked := filepath.Join(t.TempDir(), "asked")
	write(t, asked, "")
	srv := serveActions("goes on", asked)
	defer srv.Close()
	p := start(t, t.TempDir(), "switchover", "db-orders", "--reason", "maintenance", "--yes", "--url", srv.URL)
	p.find(t, regexp.MustCompile(`(intent) +VendorsCall`))
	interrupt(t, p)
	if code := p.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, want := range []string{"drwatch goes on with it", "drwatch incidents " + incidentID + " --url " + srv.URL, "drwatch abort " + incidentID + " --reason … --url " + srv.URL} {
		p.find(t, regexp.MustCompile("("+regexp.QuoteMeta(want)+")"))
	}
	if n := strings.Count(read(t, asked), "\n"); n != 2 {
		t.Errorf("asked %d times, want the plan and the action:\n%s", n, read(t, asked))
	}
}

// TestInterruptAtTheQuestion: nothing is done, however long the question stands.
func TestInterruptAtTheQuestion(t *testing.T) {
	asked := filepath.Join(t.TempDir(), "asked")
	write(t, asked, "")
	srv := serveActions("succeeds", asked)
	defer srv.Close()
	p := startAt(t, terminal(t), t.TempDir(), "switchover", "db-orders", "--reason", "maintenance", "--url", srv.URL)
	p.find(t, regexp.MustCompile(`(What the vendor wants)`))
	interrupt(t, p)
	p.find(t, regexp.MustCompile(`(nothing was done: interrupted)`))
	if code := p.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if got := read(t, asked); strings.Contains(got, `"dry_run":false`) {
		t.Errorf("it was started:\n%s", got)
	}
}

func interrupt(t *testing.T, p *process) {
	t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // the exit code tells
}

// terminal is one at which nobody types.
func terminal(t *testing.T) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return slave
}
