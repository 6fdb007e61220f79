package cluster_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/drwatch/drwatch/internal/quorum"
)

// trio is a cluster of observers on loopback addresses, each with its own folder.
type trio struct {
	*testing.T
	names  []string
	peers  quorum.Peers
	dirs   map[string]string
	stores map[string]*quorum.Store
}

// newTrio makes addresses and folders; nothing is started.
func newTrio(t *testing.T, tls bool) *trio {
	t.Helper()
	return newCluster(t, tls, "obs-a", "obs-b", "obs-w")
}

func newCluster(t *testing.T, tls bool, names ...string) *trio {
	t.Helper()
	c := &trio{T: t, names: names, dirs: map[string]string{}, stores: map[string]*quorum.Store{}}
	c.peers.Members = map[string]string{}
	scheme := "http"
	if tls {
		scheme, c.peers.TLS = "https", authority(t).peer(t)
	}
	for _, n := range c.names {
		c.peers.Members[n] = scheme + "://" + freeAddress(t)
		c.dirs[n] = filepath.Join(t.TempDir(), "etcd")
	}
	t.Cleanup(c.closeAll)
	return c
}

// closeAll closes what is still open, all at once: the last ones have no
// majority to give their leases back to.
func (c *trio) closeAll() {
	var wg sync.WaitGroup
	for _, s := range c.stores {
		wg.Go(func() { _ = s.Close() })
	}
	wg.Wait()
}

// freeAddress is a loopback address with a port that nobody listens at. It is none of
// those that the kernel gives away by itself, or another connection may have it before
// the member does.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 12_000+rand.IntN(20_000))
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// open starts an observer's store and does not wait.
func (c *trio) open(name string) *quorum.Store {
	c.Helper()
	return c.openAmong(name, c.names...)
}

// openAmong starts an observer whose initial_cluster has those names.
func (c *trio) openAmong(name string, names ...string) *quorum.Store {
	c.Helper()
	o := options(c.dirs[name], logger(c.T).With("observer", name))
	o.Observer, o.Site, o.Peers = name, "site-"+name, &quorum.Peers{Members: map[string]string{}, TLS: c.peers.TLS}
	for _, n := range names {
		o.Peers.Members[n] = c.peers.Members[n]
	}
	s, err := quorum.Open(o)
	if err != nil {
		c.Fatal(err)
	}
	c.stores[name] = s
	return s
}

func (c *trio) openAll() {
	c.Helper()
	for _, n := range c.names {
		c.open(n)
	}
	for _, n := range c.names {
		c.joins(n)
	}
}

func (c *trio) joins(name string) {
	c.Helper()
	waitFor(c.T, name+" to join", func() bool { return c.stores[name].Status().Joined })
}

// answers tells whether the store of that observer can be read now.
func (c *trio) answers(name string) error {
	_, err := c.stores[name].Read(c.Context())
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
