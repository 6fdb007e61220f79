package chaos_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// runInside runs this program with the same arguments in new network, mount and
// process namespaces, and gives its exit code. All that the tests make (networks,
// mounts, processes) goes with the namespaces, however the tests end; the files
// are removed here. The error says why there can be none; then no test was run.
func runInside() (int, error) {
	files, err := os.MkdirTemp("", "drwatch-chaos-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(files)
	runtime.LockOSThread() // the death signal comes from the thread
	code, err := runWith(files, 0)
	if errors.Is(err, syscall.EPERM) { // not root: as the root of a user namespace
		code, err = runWith(files, unix.CLONE_NEWUSER)
	}
	return code, err
}

func runWith(files string, flags uintptr) (int, error) {
	exe, err := os.Executable()
	if err != nil {
		return 0, err
	}
	why, told, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer why.Close()
	cmd := exec.Command(exe, os.Args[1:]...)
	cmd.Env = append(os.Environ(), insideKey+"=1", "TMPDIR="+files)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stdin, os.Stdout, os.Stderr, []*os.File{told}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags | unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	if flags&unix.CLONE_NEWUSER != 0 {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)
	err = cmd.Start()
	_ = told.Close() // the other process has it
	if err != nil {
		return 0, err
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			select {
			case s := <-signals:
				_ = cmd.Process.Signal(s) // one that has ended needs none
			case <-ended:
				return
			}
		}
	}()
	reason, err := io.ReadAll(why)
	exit := cmd.Wait()
	switch {
	case err != nil:
		return 0, err
	case len(reason) > 0:
		return 0, errors.New(string(reason))
	case exit != nil:
		return max(1, cmd.ProcessState.ExitCode()), nil
	}
	return 0, nil
}

// settleIn makes the namespaces that this process was started in habitable: /proc
// tells of them, and what comes from an observer is sent on to the others.
func settleIn() error {
	unix.CloseOnExec(toldInside)
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keeping mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	for _, key := range []string{"ip_forward", "conf/all/route_localnet"} {
		if err := set(key); err != nil {
			return err
		}
	}
	// What is cut is looked at before what is local.
	return ip("link set lo up", "rule add pref 100 lookup local", "rule del pref 0")
}

// set switches a setting of IPv4 on, in the network namespace of this thread.
func set(key string) error { return os.WriteFile("/proc/sys/net/ipv4/"+key, []byte("1"), 0) }

// ip runs commands of iproute2, in the network namespace of this thread.
func ip(commands ...string) error {
	path, err := exec.LookPath("ip")
	for _, p := range []string{"/usr/sbin/ip", "/sbin/ip"} { // not in everybody's path
		if err != nil {
			path, err = exec.LookPath(p)
		}
	}
	if err != nil {
		return fmt.Errorf("the program ip of iproute2: %w", err)
	}
	cmd := exec.Command(path, "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(commands, "; "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
