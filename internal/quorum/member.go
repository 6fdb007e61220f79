package quorum

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"google.golang.org/grpc"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// Status tells how the member is.
type Status struct {
	Joined    bool      // it answers
	Since     time.Time // when it joined, or when it was last lost; zero before it was first started
	Restarts  int       // how often it ended without being asked to
	LastError string    // one sentence, "" when there was none since it joined
	DiskBytes int64     // of its directory, as last looked at
	Alarm     string    // etcd's alarm, "" when none: NOSPACE takes no writes
	// Silent: the member did not answer when it was last asked how it is.
	Silent bool
	// NoWrites: the last write got no answer, and none has since; a slow disk most
	// often.
	NoWrites bool
	// NoReads: the last read of what the majority holds got no answer, and none has
	// since.
	NoReads bool
	// NoMajority: so many members are out of reach that nothing can be read or written.
	NoMajority bool
	ClientURL  string // where it serves, "" while it does not
	Reset      bool   // the store is not the one known: frozen until a person accepts it
}

// Works tells whether the store can be read and written, as far as is known.
func (s Status) Works() bool {
	return s.Joined && !s.Silent && !s.NoWrites && !s.NoReads && !s.NoMajority && !s.Reset && s.Alarm == ""
}

// member supervises the child process and holds the client of it.
type member struct {
	o    Options
	seen *seen

	mu     sync.Mutex
	status Status
	cli    *clientv3.Client
	child  *child
	closed bool

	closing  chan struct{}
	accepted chan struct{} // a person accepted a reset: try to start again
	done     chan struct{}
}

// Back-off between restarts; a run of steadyAfter makes it start anew.
const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 5 * time.Second
	steadyAfter  = time.Minute
)

func newMember(o Options, s *seen) *member {
	return &member{o: o, seen: s, closing: make(chan struct{}), accepted: make(chan struct{}, 1), done: make(chan struct{})}
}

func (m *member) start() {
	if m.o.Etcd != nil {
		go m.attendTo(m.o.Etcd)
		return
	}
	go m.supervise()
}

// supervise runs the child again and again until close. It keeps its thread:
// the kernel kills a child with Pdeathsig when the thread that made it ends.
func (m *member) supervise() {
	defer close(m.done)
	runtime.LockOSThread()
	backoff := firstBackoff
	for {
		if m.mayStart() {
			began := m.o.Now()
			err := m.runChild()
			if m.isClosed() {
				return
			}
			if m.o.Now().Sub(began) > steadyAfter {
				backoff = firstBackoff
			}
			m.lost(err)
			m.o.Logger.Error("coordination store ended", "err", err, "restart_in", backoff.String())
		}
		timer := time.NewTimer(backoff)
		select {
		case <-m.closing:
			timer.Stop()
			return
		case <-m.accepted:
			timer.Stop()
			backoff = firstBackoff
		case <-timer.C:
			backoff = min(2*backoff, lastBackoff)
		}
	}
}

// mayStart refuses to start on an empty directory when a store is known: etcd
// would found a new cluster that knows of no incident.
// Among several the child asks the others.
func (m *member) mayStart() bool {
	if m.o.Peers == nil && !hasLogs(m.o.Dir) && m.seen.exists() {
		m.seen.breaks(fmt.Sprintf("its directory %s is empty, although a store is known from before", m.o.Dir))
		m.note(m.seen.err())
		return false
	}
	return true
}

func (m *member) isClosed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}

// joined is called when the child serves.
func (m *member) joined(clientURL string) error {
	cli, err := clientv3.New(clientv3.Config{
		Endpoints: []string{clientURL}, DialTimeout: callTimeout, Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithNoProxy()},
	})
	if err != nil {
		return fmt.Errorf("client of %s: %w", clientURL, err)
	}
	m.mu.Lock()
	m.cli = cli
	m.status.Joined, m.status.Since, m.status.ClientURL, m.status.LastError = true, m.o.Now(), clientURL, ""
	m.mu.Unlock()
	m.o.Logger.Info("coordination store joined", "client_url", clientURL)
	return nil
}

// lost is called when the child has ended.
func (m *member) lost(err error) {
	m.mu.Lock()
	m.status.Joined, m.status.Since, m.status.ClientURL = false, m.o.Now(), ""
	m.status.NoMajority, m.status.Silent, m.status.NoWrites, m.status.NoReads = false, false, false, false
	m.status.Restarts++
	m.mu.Unlock()
	m.note(err)
}

// unjoin takes the client away; calls fail fast from then on.
func (m *member) unjoin() {
	m.mu.Lock()
	cli := m.cli
	m.cli, m.status.Joined = nil, false
	m.mu.Unlock()
	if cli != nil {
		_ = cli.Close() // its server is gone
	}
}

// note keeps an error for Status.
func (m *member) note(err error) {
	if err == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status.LastError = err.Error()
}

func (m *member) snapshot() Status {
	reset := m.seen.err()
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.status
	switch {
	case reset != nil:
		s.Reset, s.LastError = true, reset.Error()
	case s.NoMajority:
		s.LastError = errNoMajority.Error()
	case s.Silent:
		s.LastError = "the etcd member runs and does not answer"
	case s.NoWrites:
		s.LastError = fmt.Sprintf("the etcd member gives no answer to writes within %s: its disk is slow, or the others'", callTimeout)
	case s.NoReads:
		s.LastError = fmt.Sprintf("the etcd member gives no answer to reads within %s: its disk is slow, or the others'", callTimeout)
	case s.Alarm != "" && s.LastError == "":
		s.LastError = "etcd has raised the alarm " + s.Alarm
	}
	return s
}

// client is the present client, or why there is none.
func (m *member) client() (*clientv3.Client, error) {
	if err := m.seen.err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return nil, fmt.Errorf("%w: it was closed", ErrNotJoined)
	case m.cli != nil:
		return m.cli, nil
	case m.status.LastError != "":
		return nil, fmt.Errorf("%w: %s", ErrNotJoined, m.status.LastError)
	}
	return nil, fmt.Errorf("%w yet", ErrNotJoined)
}

// close ends the child and waits for it.
func (m *member) close() {
	m.mu.Lock()
	first := !m.closed
	m.closed = true
	c := m.child
	m.mu.Unlock()
	if first {
		close(m.closing)
	}
	m.unjoin()
	if c != nil {
		c.stop()
	}
	<-m.done
	m.keepSeen()
}

// keepSeen makes what is known of the store durable. That it could not is told,
// and stops nothing: the store itself is the first to suffer from a full disk.
func (m *member) keepSeen() {
	if err := m.seen.save(); err != nil {
		m.note(fmt.Errorf("remembering the revision of the coordination store: %w", err))
		m.o.Logger.Warn("revision of the coordination store not remembered", "err", err)
	}
}

func (m *member) acceptReset(ctx context.Context) error {
	if m.seen.err() == nil {
		return nil
	}
	if err := m.seen.reset(); err != nil {
		return fmt.Errorf("forgetting the known coordination store: %w", err)
	}
	m.o.Logger.Warn("the coordination store was accepted as it is now")
	select {
	case m.accepted <- struct{}{}:
	default:
	}
	m.startAnew()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for {
		_, err := client{m}.Get(ctx, m.probeKey())
		if err == nil {
			m.keepSeen()
			return nil
		}
		if !errors.Is(err, ErrNotJoined) {
			return fmt.Errorf("accepting the coordination store: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("accepting the coordination store: %w", err)
		case <-time.After(readyEvery):
		}
	}
}

// probeKey is a key of this cluster: who may read its keys may read this one.
func (m *member) probeKey() string { return "/drwatch/" + url.PathEscape(m.o.Cluster) + "/leader" }

// startAnew ends a child that waits because it was told that a store is known.
func (m *member) startAnew() {
	m.mu.Lock()
	c, joined := m.child, m.status.Joined
	m.mu.Unlock()
	if c != nil && !joined {
		c.stop()
	}
}

const readyEvery = 50 * time.Millisecond

// dirBytes is the space that the files under dir take.
func dirBytes(dir string) int64 {
	var sum int64
	// What vanishes meanwhile takes no space, so errors are passed over.
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				sum += allocated(info)
			}
		}
		return nil
	})
	return sum
}
