package chaos_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	stop = syscall.SIGSTOP
	cont = syscall.SIGCONT
)

// signal sends to the daemon and its store, as what befalls a machine does.
func (o *observer) signal(sig syscall.Signal) {
	o.t.Helper()
	d := o.current().cmd.Process
	for _, p := range append([]*os.Process{d}, children(d)...) {
		_ = p.Signal(sig) // one that has gone needs none
	}
}

// kill ends the daemon and its store at once and waits until both are gone.
func (o *observer) kill() {
	o.t.Helper()
	r := o.current()
	if r == nil {
		return
	}
	members := children(r.cmd.Process)
	for _, p := range append([]*os.Process{r.cmd.Process}, members...) {
		_ = p.Signal(syscall.SIGKILL)
	}
	<-r.done
	for _, p := range members {
		for range 200 {
			if p.Signal(syscall.Signal(0)) != nil || zombie(p.Pid) {
				break
			}
			<-time.After(10 * time.Millisecond)
		}
	}
}

// children are the processes that the process has started. What is returned stays
// these, whoever gets their numbers later; the numbers alone would not.
func children(parent *os.Process) []*os.Process {
	var out []*os.Process
	for _, pid := range childrenOf(parent.Pid) {
		if p, err := os.FindProcess(pid); err == nil {
			out = append(out, p)
		}
	}
	// Both were so after they were taken hold of.
	still := childrenOf(parent.Pid)
	if parent.Signal(syscall.Signal(0)) != nil {
		return nil
	}
	return slices.DeleteFunc(out, func(p *os.Process) bool { return !slices.Contains(still, p.Pid) })
}

func childrenOf(pid int) []int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	var out []int
	for _, path := range stats {
		if f := statOf(path); len(f) > 1 && f[1] == strconv.Itoa(pid) {
			if p, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
				out = append(out, p)
			}
		}
	}
	return out
}

func zombie(pid int) bool {
	f := statOf(fmt.Sprintf("/proc/%d/stat", pid))
	return len(f) > 0 && f[0] == "Z"
}

func stopped(pid int) bool {
	f := statOf(fmt.Sprintf("/proc/%d/stat", pid))
	return len(f) > 0 && f[0] == "T"
}

// statOf is state, parent, and so on, of proc_pid_stat(5).
func statOf(path string) []string {
	b, _ := os.ReadFile(path)
	_, rest, _ := strings.Cut(string(b), ") ")
	return strings.Fields(rest)
}
