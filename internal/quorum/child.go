package quorum

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const (
	quotaBytes   = 256 << 20
	segmentBytes = 4 << 20
	// stopWithin is how long the child may take to end when asked to.
	stopWithin = 5 * time.Second
)

// child is one run of the member process.
type child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	once  sync.Once
}

// stop asks the child to end, and makes it if it does not.
func (c *child) stop() {
	c.once.Do(func() {
		_ = c.stdin.Close()                                             // its end of input is the request
		time.AfterFunc(stopWithin, func() { _ = c.cmd.Process.Kill() }) // no error is left to tell of one that is gone
	})
}

// runChild starts the child and returns when it has ended, with the reason.
func (m *member) runChild() error {
	if err := os.MkdirAll(m.o.Dir, 0o700); err != nil {
		return err
	}
	// No context ends it: it goes when its input does, so that it closes its logs.
	cmd := exec.CommandContext(context.Background(), m.o.Command[0], m.o.Command[1:]...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = m.o.Dir, childEnv(), ownGroup()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", m.o.Command[0], err)
	}
	c := &child{cmd: cmd, stdin: stdin}
	if !m.adopt(c) {
		c.stop()
	}
	said := make(chan string, 1)
	go func() { said <- relay(stderr, m.o.Logger, &hush{now: m.o.Now}) }()
	err = m.converse(c, stdout)
	reason := <-said
	exit := cmd.Wait()
	if err != nil {
		return err
	}
	return endedBy(exit, reason)
}

// adopt makes c the running child, unless the member was closed meanwhile.
func (m *member) adopt(c *child) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.child = c
	return !m.closed
}

// converse gives the child its configuration and hears it until it ends.
func (m *member) converse(c *child, stdout io.Reader) error {
	defer m.unjoin()
	ctx, cancel := context.WithCancel(context.Background())
	var health sync.WaitGroup
	defer health.Wait()
	defer cancel()
	line, err := json.Marshal(m.childConfig())
	if err != nil {
		return err
	}
	// A child that cannot take its configuration has ended; its exit tells why.
	_, _ = c.stdin.Write(append(line, '\n'))
	var ending error
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if url, ready := strings.CutPrefix(lines.Text(), sayReady); ready {
			if err := m.joined(url); err != nil {
				c.stop()
				return err
			}
			health.Go(func() { m.watchHealth(ctx) })
		}
		if why, waits := strings.CutPrefix(lines.Text(), sayWaiting); waits {
			m.waits(why)
		}
		if why, ends := strings.CutPrefix(lines.Text(), sayEnds); ends {
			ending = errors.New(why)
		}
		if why, lost := strings.CutPrefix(lines.Text(), sayLost); lost {
			m.seen.breaks(why)
			m.note(m.seen.err())
		}
	}
	return ending
}

func (m *member) childConfig() memberConfig {
	c := memberConfig{Dir: m.o.Dir, Lock: m.o.Dir + ".lock", ClientURL: m.o.ClientURL, QuotaBytes: m.o.Quota, SegmentBytes: segmentBytes, History: m.o.History.String()}
	if p := m.o.Peers; p != nil {
		c.Name, c.Cluster, c.Members, c.TLS, c.Known = m.o.Observer, m.o.Cluster, p.Members, p.TLS, m.seen.exists()
	}
	return c
}

// waits keeps and tells what a child that is not ready waits for.
func (m *member) waits(why string) {
	m.mu.Lock()
	news := m.status.LastError != why
	m.status.LastError = why
	m.mu.Unlock()
	if news {
		m.o.Logger.Warn("the coordination store's member waits", "for", why)
	}
}

// childEnv is all of the member's environment: it needs no secret and little
// memory.
func childEnv() []string { return []string{"GOMAXPROCS=1", "GOGC=50", "GOMEMLIMIT=48MiB"} }

// endedBy is one sentence on why the child ended.
func endedBy(exit error, said string) error {
	how := "it ended"
	if exit != nil {
		how = exit.Error()
	}
	if said != "" {
		return fmt.Errorf("the etcd member ended (%s): %s", how, said)
	}
	return fmt.Errorf("the etcd member ended (%s)", how)
}

// maxSaid bounds the lines of a crash that are logged.
const maxSaid = 20

// relay logs what the child writes to standard error, and returns the worst of
// it: the message of a panic or fatal error, else the last error.
func relay(r io.Reader, log *slog.Logger, h *hush) string {
	var crash, last string
	plain := 0
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		line = strings.TrimSpace(line)
		if level, text, ok := zapLine(line); ok {
			if level != slog.LevelWarn || h.news(text) {
				log.Log(context.Background(), level, "etcd", "says", text)
			}
			if level >= slog.LevelError {
				last = text
			}
		} else if line != "" {
			if plain++; plain <= maxSaid {
				log.Error("etcd", "says", line)
			}
			if crash == "" {
				crash = line
			}
		}
		if err != nil {
			break
		}
	}
	if last != "" {
		return last
	}
	return crash
}

// hush keeps warnings that come again and again, as they do while another member
// is out of reach, to one a minute of each kind.
type hush struct {
	now  func() time.Time
	said map[string]time.Time
}

const (
	hushFor = time.Minute
	// hushMost bounds what is remembered.
	hushMost = 100
)

// news tells whether a warning was not logged within the last minute. What it
// names beside its kind (addresses, ids, errors) does not make it another one.
func (h *hush) news(text string) bool {
	kind, _, _ := strings.Cut(text, ":")
	now := h.now()
	if at, ok := h.said[kind]; ok && now.Sub(at) < hushFor {
		return false
	}
	if h.said == nil || len(h.said) >= hushMost {
		h.said = map[string]time.Time{}
	}
	h.said[kind] = now
	return true
}

// zapLine reads one line of the child's log: its level and its text with the
// error, if it has one.
func zapLine(line string) (slog.Level, string, bool) {
	var z struct {
		Level, Msg, Error string
	}
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &z) != nil {
		return 0, "", false
	}
	if z.Error != "" {
		z.Msg += ": " + z.Error
	}
	switch {
	case strings.Contains(z.Msg, "schema version"):
		return slog.LevelDebug, z.Msg, true // a new store has none until its first snapshot
	case z.Level != "warn":
		return slog.LevelError, z.Msg, true
	case strings.Contains(z.Msg, "http and grpc server on single port"), strings.HasPrefix(z.Msg, "simple token"):
		return slog.LevelDebug, z.Msg, true // by choice: one listener, loopback only, no users
	}
	return slog.LevelWarn, z.Msg, true
}
