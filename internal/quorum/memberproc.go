package quorum

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// memberConfig is what the parent writes to the child's standard input, as one
// line of JSON.
type memberConfig struct {
	Dir          string `json:"dir"`
	Lock         string `json:"lock"`
	ClientURL    string `json:"client_url"`
	QuotaBytes   int64  `json:"quota_bytes"`
	SegmentBytes int64  `json:"segment_bytes"`
}

const (
	memberName = "drwatch"
	// peerAdvertise is only a name while the member is alone: its peer listener
	// is a socket in its working directory.
	peerAdvertise = "http://127.0.0.1:10110"
	peerSocket    = "unix://peer.sock"

	lockEvery  = 100 * time.Millisecond
	exitWithin = 3 * time.Second
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
			fmt.Fprintln(stdout, sayWaiting)
		}
		select {
		case <-orphaned:
			return nil, nil
		case <-tick.C:
		}
	}
}

// What the child says on standard output.
const (
	sayWaiting = "waiting"
	sayReady   = "ready " // and its client URL
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
	go func() { ended <- runEtcd(cfg, orphaned, stdout) }()
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

func runEtcd(cfg *embed.Config, orphaned <-chan struct{}, stdout io.Writer) error {
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	// The process ends with this function: closing logs and data is enough, the
	// listeners and what still hangs on them need no farewell.
	defer e.Server.Stop()
	select {
	case <-e.Server.ReadyNotify():
	case <-e.Server.StopNotify():
		return errors.New("it stopped before it was ready")
	case err := <-e.Err():
		return err
	case <-orphaned:
		return nil
	}
	fmt.Fprintf(stdout, "%shttp://%s\n", sayReady, e.Clients[0].Addr())
	select {
	case <-e.Server.StopNotify():
		return errors.New("it stopped by itself")
	case err := <-e.Err():
		return err
	case <-orphaned:
		return nil
	}
}

// etcdConfig is a lone member that serves this machine only, with short logs
// and a small quota: the store holds kilobytes. It is durable: fsync stays on.
func etcdConfig(c memberConfig) (*embed.Config, error) {
	client, err := url.Parse(c.ClientURL)
	if err != nil {
		return nil, err
	}
	peer, err := types.NewURLs([]string{peerSocket})
	if err != nil {
		return nil, err
	}
	advertise, err := types.NewURLs([]string{peerAdvertise})
	if err != nil {
		return nil, err
	}
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir = memberName, c.Dir
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = peer, advertise
	cfg.InitialCluster = memberName + "=" + peerAdvertise
	// Without chance in it, a member that starts on an emptied directory would
	// have the cluster id of the one that was lost.
	cfg.InitialClusterToken = rand.Text()
	// There is nobody to vote against: the shorter, the sooner it serves.
	cfg.TickMs, cfg.ElectionMs = 50, 250
	cfg.AutoCompactionMode, cfg.AutoCompactionRetention = embed.CompactorModePeriodic, "1h"
	cfg.QuotaBackendBytes = c.QuotaBytes
	cfg.WarningUnaryRequestDuration = time.Second
	cfg.SnapshotCount, cfg.SnapshotCatchUpEntries = 5000, 1000
	cfg.MaxSnapFiles, cfg.MaxWalFiles = 2, 2
	cfg.EnableGRPCGateway = false
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(stderrLogger())
	return cfg, nil
}

// stderrLogger writes warnings and worse to standard error, a line of JSON each.
func stderrLogger() *zap.Logger {
	enc := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		LevelKey: "level", MessageKey: "msg", EncodeLevel: zapcore.LowercaseLevelEncoder,
		EncodeDuration: zapcore.StringDurationEncoder, EncodeTime: zapcore.RFC3339TimeEncoder,
	})
	return zap.New(zapcore.NewCore(enc, zapcore.Lock(os.Stderr), zapcore.WarnLevel))
}
