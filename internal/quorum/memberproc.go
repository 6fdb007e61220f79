package quorum

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const (
	lockEvery  = 100 * time.Millisecond
	exitWithin = 3 * time.Second
	// tellEvery is how often a member that is not ready says what it waits for.
	tellEvery = time.Second
)

// MemberMain runs one etcd member as configured on standard input, and returns
// the exit status of the process. It tells its client address on standard
// output, logs on standard error, and ends when standard input does, which is
// how it learns of its parent's death everywhere. Signals do not end it: they
// reach all processes of a terminal or a service, and the parent still needs
// its store to finish the step in flight.
func MemberMain(args []string) int {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if err := runMember(args, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "etcd member: %v\n", err)
		return 1
	}
	return 0
}

func runMember(args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) > 0 {
		return fmt.Errorf("it takes no arguments, got %q; it is started by drwatch itself", args)
	}
	in := bufio.NewReader(stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("reading the configuration from standard input: %w; it is started by drwatch itself", err)
	}
	var c memberConfig
	if err := json.Unmarshal(line, &c); err != nil {
		return fmt.Errorf("reading the configuration from standard input: %w", err)
	}
	orphaned := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, in) // how it ended does not matter
		close(orphaned)
	}()
	unlock, err := waitLock(c.Lock, orphaned, stdout)
	if err != nil || unlock == nil {
		return err
	}
	defer unlock()
	return serveMember(c, orphaned, stdout)
}

// waitLock waits until no other member uses the directory: one that outlived
// its parent for a moment. It returns nil when orphaned first.
func waitLock(path string, orphaned <-chan struct{}, stdout io.Writer) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(lockEvery)
	defer tick.Stop()
	for told := false; ; told = true {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil // closing gives the lock back
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if !told {
			fmt.Fprintf(stdout, "%sanother process still uses its directory\n", sayWaiting)
		}
		select {
		case <-orphaned:
			return nil, nil
		case <-tick.C:
		}
	}
}

// What the child says on standard output, each with its argument behind it.
const (
	sayWaiting = "waiting " // and for what, while it goes on trying
	sayLost    = "lost "    // and why the store that is known is no more
	sayEnds    = "ends "    // and why, in a sentence that tells what to do
	sayReady   = "ready "   // and its client URL
)

// serveMember runs etcd until it ends or the parent does. An orphan that hangs
// in etcd is left behind by returning: the process ends then.
func serveMember(c memberConfig, orphaned <-chan struct{}, stdout io.Writer) error {
	cfg, err := etcdConfig(c)
	if err != nil {
		return err
	}
	wal.SegmentSizeBytes = c.SegmentBytes
	ended := make(chan error, 1)
	go func() { ended <- runEtcd(c, cfg, orphaned, stdout) }()
	select {
	case err := <-ended:
		return err
	case <-orphaned:
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(exitWithin):
		return errors.New("it did not stop in time after its parent had gone")
	}
}

func runEtcd(c memberConfig, cfg *embed.Config, orphaned <-chan struct{}, stdout io.Writer) error {
	if len(c.Members) > 0 && !hasLogs(c.Dir) {
		may, err := admit(c, orphaned, stdout)
		if err != nil || may.state == "" {
			return err
		}
		cfg.ClusterState, cfg.InitialCluster = may.state, initialCluster(may.members)
	}
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	// The process ends with this function: closing logs and data is enough, the
	// listeners and what still hangs on them need no farewell. A member that leads
	// hands that over first.
	defer e.Server.Stop()
	err = c.diagnosed(uint64(e.Server.MemberID()), attend(c, e, orphaned, stdout))
	if d, ok := errors.AsType[diagnosis](err); ok {
		fmt.Fprintf(stdout, "%s%s\n", sayEnds, d)
	}
	return err
}

// attend sees the running member through to its end.
func attend(c memberConfig, e *embed.Etcd, orphaned <-chan struct{}, stdout io.Writer) error {
	if ready, err := untilReady(c, e, orphaned, stdout); err != nil || !ready {
		return err
	}
	fmt.Fprintf(stdout, "%shttp://%s\n", sayReady, e.Clients[0].Addr())
	select {
	case <-e.Server.StopNotify():
		return errStopped
	case err := <-e.Err():
		return err
	case <-orphaned:
		return nil
	}
}

// untilReady waits until the member has joined, and says what it waits for. It
// is not ready without an error when orphaned.
func untilReady(c memberConfig, e *embed.Etcd, orphaned <-chan struct{}, stdout io.Writer) (bool, error) {
	tell := time.NewTicker(tellEvery)
	defer tell.Stop()
	for {
		if err := c.fits(e.Server.Cluster().Members()); err != nil {
			return false, err
		}
		select {
		case <-e.Server.ReadyNotify():
			return true, c.fits(e.Server.Cluster().Members())
		case <-e.Server.StopNotify():
			return false, errStopped
		case err := <-e.Err():
			return false, err
		case <-orphaned:
			return false, nil
		case <-tell.C:
			if n := len(e.Server.Cluster().Members()); n > 1 {
				fmt.Fprintf(stdout, "%sno majority of the %d members answers yet\n", sayWaiting, n)
			}
		}
	}
}

var errStopped = errors.New("it stopped by itself")

// diagnosed finds out why etcd ended: a member that the others have taken out
// ends when they tell it.
func (c memberConfig) diagnosed(id uint64, err error) error {
	_, known := errors.AsType[diagnosis](err)
	if err == nil || known || len(c.Members) == 0 || !c.takenOut(id) {
		return err
	}
	return removed
}

// stderrLogger writes warnings and worse to standard error, a line of JSON each.
func stderrLogger() *zap.Logger {
	enc := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		LevelKey: "level", MessageKey: "msg", EncodeLevel: zapcore.LowercaseLevelEncoder,
		EncodeDuration: zapcore.StringDurationEncoder, EncodeTime: zapcore.RFC3339TimeEncoder,
	})
	return zap.New(zapcore.NewCore(enc, zapcore.Lock(os.Stderr), zapcore.WarnLevel))
}
