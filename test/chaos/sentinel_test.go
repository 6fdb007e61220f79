package chaos_test

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// sentinels is what decisions are measured beside: a Redis master with one
// replica, and three Sentinels of which two must agree, all on this machine.
// down-after is the hold time of our rule.
type sentinels struct {
	*testing.T
	master, replica *server
	watching        []*server
}

// server is one process of Redis.
type server struct {
	cmd  *exec.Cmd
	port int
}

// needRedis tells which of Debian's packages is missing. Without them there is
// nothing to compare with, and that is an error: nobody reads what was skipped.
func needRedis(t *testing.T) {
	t.Helper()
	for _, name := range []string{"redis-server", "redis-sentinel"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("%s is not here: apt-get install --no-install-recommends redis-server redis-sentinel (%v)", name, err)
		}
	}
}

// newSentinels starts all five and waits until the Sentinels know each other and
// the replica.
func newSentinels(t *testing.T) *sentinels {
	t.Helper()
	s := &sentinels{T: t}
	t.Cleanup(s.end)
	s.master = s.start("redis-server", "appendonly no", `save ""`)
	s.replica = s.start("redis-server", "appendonly no", `save ""`, fmt.Sprintf("replicaof 127.0.0.1 %d", s.master.port))
	for range 3 {
		s.watching = append(s.watching, s.start("redis-sentinel",
			fmt.Sprintf("sentinel monitor db 127.0.0.1 %d 2", s.master.port),
			fmt.Sprintf("sentinel down-after-milliseconds db %d", hold.Milliseconds())))
	}
	s.eventually("the Sentinels know each other and the replica", func() bool {
		for _, w := range s.watching {
			told := strings.Join(w.ask("SENTINEL MASTER db"), " ")
			if !strings.Contains(told, "num-slaves $1 1") || !strings.Contains(told, "num-other-sentinels $1 2") {
				return false
			}
		}
		return strings.Contains(strings.Join(s.replica.ask("INFO replication"), " "), "master_link_status:up")
	})
	return s
}

// start runs one process with a configuration of its own.
func (s *sentinels) start(name string, lines ...string) *server {
	s.Helper()
	dir, port := s.TempDir(), freePort(s.T)
	config := filepath.Join(dir, "redis.conf")
	lines = append([]string{fmt.Sprintf("port %d", port), "bind 127.0.0.1", "dir " + dir, "protected-mode no"}, lines...)
	write(s.T, config, strings.Join(lines, "\n")+"\n")
	r := &server{cmd: exec.Command(name, config), port: port}
	if err := r.cmd.Start(); err != nil {
		s.Fatal(err)
	}
	return r
}

func (s *sentinels) end() {
	for _, r := range append(s.watching, s.master, s.replica) {
		if r == nil {
			continue
		}
		_ = r.cmd.Process.Kill() // one that was lost is gone already
		_ = r.cmd.Wait()
	}
}

func (s *sentinels) eventually(what string, ok func() bool) {
	s.Helper()
	for began := time.Now(); !ok(); <-time.After(50 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			s.Fatalf("in vain for a minute: %s", what)
		}
	}
}

// ask is the lines of an answer, as far as they come at once; none when nobody
// answers.
func (r *server) ask(command string) []string {
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", r.port), time.Second)
	if err != nil {
		return nil
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "%s\r\nQUIT\r\n", command); err != nil {
		return nil
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Second)) // what is missing then is not in the lines
	var out []string
	for lines := bufio.NewScanner(c); lines.Scan(); {
		out = append(out, strings.TrimSpace(lines.Text()))
	}
	return out
}

// lose kills the master and gives the moment, when the first Sentinel was
// authorised by the others, and when the replica took a write.
func (s *sentinels) lose() (authorised, writable time.Duration) {
	s.Helper()
	elected := s.elected()
	lost := time.Now()
	if err := s.master.cmd.Process.Kill(); err != nil {
		s.Fatal(err)
	}
	done := make(chan time.Duration, 1)
	go func() {
		for {
			if told := s.replica.ask("SET key value"); len(told) > 0 && told[0] == "+OK" {
				done <- time.Since(lost)
				return
			}
			select {
			case <-s.Context().Done():
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	limit := time.NewTimer(2 * time.Minute)
	defer limit.Stop()
	for authorised == 0 || writable == 0 {
		select {
		case at := <-elected:
			authorised = at.Sub(lost)
		case writable = <-done:
		case <-limit.C:
			s.Fatal("Sentinel has not failed over within two minutes")
		}
	}
	return authorised, writable
}

// elected gives the moment when one of the Sentinels tells that it was elected.
func (s *sentinels) elected() <-chan time.Time {
	s.Helper()
	out, once := make(chan time.Time, 1), sync.Once{}
	for _, r := range s.watching {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.port))
		if err != nil {
			s.Fatal(err)
		}
		s.Cleanup(func() { _ = c.Close() })
		if _, err := fmt.Fprint(c, "SUBSCRIBE +elected-leader\r\n"); err != nil {
			s.Fatal(err)
		}
		lines := bufio.NewScanner(c)
		for range 6 { // *3 $9 subscribe $15 +elected-leader :1
			if !lines.Scan() {
				s.Fatal("a Sentinel takes no subscription")
			}
		}
		go func() {
			for lines.Scan() {
				if lines.Text() == "+elected-leader" {
					once.Do(func() { out <- time.Now() })
				}
			}
		}()
	}
	return out
}
