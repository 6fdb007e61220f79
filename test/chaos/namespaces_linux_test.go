package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// namespaces gives each observer, its daemon and its store, a network namespace
// of its own, with one veth to the namespace of this process. There stand the
// sites and the clouds, and there the packets between observers are sent on, or
// dropped without a word.
type namespaces struct {
	own *os.File // the network namespace of this process

	mu      sync.Mutex
	servers int // so many have an address
	places  int
}

// newNamespaces makes this process the middle of such a network, and tries it.
func newNamespaces() (network, error) {
	if err := settleIn(); err != nil {
		return nil, err
	}
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	n := &namespaces{own: own}
	p, err := n.newPlace()
	if err != nil {
		return nil, err
	}
	return n, p.leave()
}

func (n *namespaces) String() string {
	return "a network namespace with a veth for each observer; what is cut is dropped on the way"
}

// address is a loopback one, because the simulated clouds listen at no other. Each
// server has one of its own, so that each can be cut alone.
func (n *namespaces) address(*testing.T) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers++
	return fmt.Sprintf("127.77.%d.%d:0", n.servers/250, n.servers%250+1)
}

func (n *namespaces) join(t *testing.T) links {
	t.Helper()
	p, err := n.newPlace()
	if err != nil {
		t.Fatal(err)
	}
	p.t = t
	t.Cleanup(func() {
		if err := p.leave(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// spot is an observer's place: a network namespace with one address.
type spot struct {
	t       *testing.T
	n       *namespaces
	ns      *os.File
	link    string // the end of its veth here
	host    string
	cutOff  map[string]bool // by address
	editing sync.Mutex
}

func (n *namespaces) newPlace() (*spot, error) {
	n.mu.Lock()
	n.places++
	i := n.places
	n.mu.Unlock()
	addr := func(last int) string { return fmt.Sprintf("10.77.%d.%d", i/64, i%64*4+last) }
	p := &spot{n: n, link: fmt.Sprintf("o%d", i), host: addr(2), cutOff: map[string]bool{}}
	here := func() error {
		return ip(
			fmt.Sprintf("link add %s type veth peer name eth0 netns /proc/%d/fd/%d", p.link, os.Getpid(), p.ns.Fd()),
			fmt.Sprintf("addr add %s/30 dev %s", addr(1), p.link),
			fmt.Sprintf("link set %s up", p.link),
		)
	}
	// The servers' addresses are loopback ones and must not be local there.
	there := func() error {
		return errors.Join(set("conf/all/route_localnet"), ip(
			"link set lo up", "addr del 127.0.0.1/8 dev lo", "addr add 127.0.0.1/32 dev lo",
			fmt.Sprintf("addr add %s/30 dev eth0", p.host), "link set eth0 up",
			"route add default via "+addr(1),
		))
	}
	err := n.within(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("a new network namespace: %w", err)
		}
		p.ns, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := here(); err != nil {
		return nil, errors.Join(err, p.ns.Close())
	}
	if err := p.in(there); err != nil {
		return nil, errors.Join(err, p.leave())
	}
	return p, nil
}

// within runs what changes the network namespace of its thread, and changes it
// back.
func (n *namespaces) within(do func() error) error {
	runtime.LockOSThread()
	err := do()
	if back := unix.Setns(int(n.own.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, back) // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

// in runs something in the namespace of the spot. It must stay on its thread.
func (p *spot) in(do func() error) error {
	return p.n.within(func() error {
		if err := unix.Setns(int(p.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return do()
	})
}

// leave takes the veth away, and what was cut.
func (p *spot) leave() error {
	commands := []string{"link del " + p.link}
	for host := range p.cutOff {
		commands = append(commands, "rule del "+p.rule(host))
	}
	return errors.Join(ip(commands...), p.ns.Close())
}

func (p *spot) rule(host string) string {
	return fmt.Sprintf("pref 10 from %s to %s blackhole", p.host, host)
}

func (p *spot) peer() string { return "http://" + p.host + ":10110" }

func (p *spot) to(url string) string { return url }

func (p *spot) named(url string) string { return url }

func (p *spot) proxy() string { return "" }

func (p *spot) start(cmd *exec.Cmd) error { return p.in(cmd.Start) }

func (p *spot) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	d := net.Dialer{Timeout: time.Second}
	return conn, p.in(func() error {
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
}

func (p *spot) cut(url string) { p.edit(url, true) }

func (p *spot) mend(url string) { p.edit(url, false) }

func (p *spot) edit(upstream string, cut bool) {
	p.t.Helper()
	u, err := url.Parse(upstream)
	if err != nil {
		p.t.Fatal(err)
	}
	p.editing.Lock()
	defer p.editing.Unlock()
	host := u.Hostname()
	if p.cutOff[host] == cut {
		return
	}
	how := "add "
	if !cut {
		how = "del "
		delete(p.cutOff, host)
	} else {
		p.cutOff[host] = true
	}
	if err := ip("rule " + how + p.rule(host)); err != nil {
		p.t.Fatal(err)
	}
}
