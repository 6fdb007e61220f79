package config

import (
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

func (c *checker) coordination() {
	co := c.Coordination
	c.id(co.Cluster, "coordination", "cluster")
	if co.LeaseTTL%time.Second != 0 {
		c.errorf(at("coordination", "lease_ttl"), "coordination.lease_ttl: must be whole seconds, got %s", model.Duration(co.LeaseTTL))
	}
	if co.LeaseTTL < 2*c.Global.EvaluationInterval {
		c.errorf(at("coordination", "lease_ttl"),
			"coordination.lease_ttl: %s must be at least twice global.evaluation_interval %s, because each evaluation renews the lease",
			model.Duration(co.LeaseTTL), model.Duration(c.Global.EvaluationInterval))
	}
	if co.Etcd != nil {
		if c.doc.Has("coordination", "embedded") {
			c.errorf(at("coordination", "etcd"), "coordination: give either embedded or etcd, not both")
		}
		c.etcd(*co.Etcd)
	}
	c.embedded(co.Embedded)
}

func (c *checker) etcd(e Etcd) {
	p := at("coordination", "etcd")
	for i, endpoint := range e.Endpoints {
		c.etcdEndpoint(endpoint, e, under(p, "endpoints", i)...)
	}
	if (e.Username == "") != (e.PasswordFile == "") {
		c.errorf(p, "coordination.etcd: username and password_file go together, only one of them is given")
	}
	if e.TLS != nil {
		c.tlsFiles(*e.TLS, under(p, "tls")...)
	}
}

// etcdEndpoint checks where somebody else's etcd is reached. All endpoints are of
// one kind: etcd's client speaks to all of them alike.
func (c *checker) etcdEndpoint(s string, e Etcd, path ...any) {
	u, err := hostOnly(s)
	switch {
	case err != nil:
		c.errorf(path, "%s: %s", dotted(path), err)
	case u.Port() == "" || u.Path != "":
		c.errorf(path, "%s: expected a URL with a port and nothing behind it, such as https://etcd-0:2379, got %q", dotted(path), s)
	case !strings.HasPrefix(e.Endpoints[0], u.Scheme+"://"):
		c.errorf(path, "%s: all endpoints must be https, or all http", dotted(path))
	case u.Scheme == "http" && e.TLS != nil:
		c.errorf(path, "%s: tls needs https, got %q", dotted(path), s)
	case u.Scheme == "http" && !loopback(u):
		c.warnf(path, "%s: over http whoever is on the way can read and write the coordination store, the password included; use https", dotted(path))
	}
}

func (c *checker) embedded(e Embedded) {
	p := at("coordination", "embedded")
	c.clientURL(e.ClientURL, under(p, "client_url")...)
	if e.PeerURL != "" {
		c.peerURL(e.PeerURL, e, under(p, "peer_url")...)
	}
	if e.PeerTLS != nil {
		c.peerTLS(*e.PeerTLS, under(p, "peer_tls")...)
	}
	members := slices.Sorted(maps.Keys(e.InitialCluster))
	seen := map[string][]any{}
	for _, name := range members {
		c.id(name, under(p, "initial_cluster", name)...)
		c.peerURL(e.InitialCluster[name], e, under(p, "initial_cluster", name)...)
		if url := e.InitialCluster[name]; mayShow(url) {
			c.unique(seen, url, "peer URL", under(p, "initial_cluster", name)...)
		}
	}
	c.size(len(members))
	own, ok := e.InitialCluster[c.Observer.Name]
	switch {
	case len(members) == 0:
	case !ok:
		if c.doc.Has("observer", "name") {
			c.errorf(under(p, "initial_cluster"), "coordination.embedded.initial_cluster: this observer, %q, is not among its members", c.Observer.Name)
		}
	case e.PeerURL != "" && own != e.PeerURL && mayShow(own) && mayShow(e.PeerURL):
		c.errorf(under(p, "peer_url"), "coordination.embedded.peer_url: initial_cluster says %q for this observer, got %q", own, e.PeerURL)
	}
}

// size checks that a majority is worth something: two observers stop when one of
// them is lost, four as soon as three do.
func (c *checker) size(members int) {
	p := at("coordination", "embedded")
	switch members {
	case 0, 1:
		for _, key := range []string{"peer_url", "peer_tls"} {
			if c.doc.Has(under(p, key)...) {
				c.errorf(under(p, key), "coordination.embedded.%s: without initial_cluster there are no peers; name all observers there", key)
			}
		}
	case 3, 5:
	default:
		c.errorf(under(p, "initial_cluster"), "coordination.embedded.initial_cluster: want 3 or 5 observers, or none for a single one, got %d", members)
	}
}

// peerURL checks where a member is reached by the others.
func (c *checker) peerURL(s string, e Embedded, path ...any) {
	u, err := hostOnly(s)
	switch {
	case err != nil:
		c.errorf(path, "%s: %s", dotted(path), err)
	case u.Port() == "" || u.Port() == "0" || u.Path != "":
		c.errorf(path, "%s: expected a URL with a port and nothing behind it, such as https://10.1.0.1:10110, got %q", dotted(path), s)
	case len(e.InitialCluster) < 2: // it is not used: the member is alone
	case u.Scheme == "https" && e.PeerTLS == nil:
		c.errorf(path, "%s: https needs peer_tls", dotted(path))
	case u.Scheme == "http" && e.PeerTLS != nil:
		c.errorf(path, "%s: peer_tls needs https, got %q", dotted(path), s)
	case u.Scheme == "http" && !loopback(u):
		c.warnf(path, "%s: over http whoever reaches this address can write the coordination store; use https and peer_tls", dotted(path))
	}
}

// mayShow tells whether a message may repeat a URL. One that is refused may hold a
// password.
func mayShow(s string) bool {
	_, err := hostOnly(s)
	return err == nil
}

func loopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// peerTLS checks that both ends show a certificate and know who signs it.
func (c *checker) peerTLS(t TLSFiles, path ...any) {
	if t.CertFile == "" || t.KeyFile == "" || t.CAFile == "" {
		c.errorf(path, "%s: cert_file, key_file and ca_file are all required: each member proves to the others that it is one", dotted(path))
	}
}

// clientURL checks where the embedded member listens for its own drwatch. It
// asks for no password, so it must not listen to others.
func (c *checker) clientURL(s string, path ...any) {
	before := len(c.problems)
	c.hostURL(s, path...)
	u, err := url.Parse(s)
	if len(c.problems) > before || err != nil {
		return
	}
	if u.Scheme != "http" || u.Hostname() != "127.0.0.1" && u.Hostname() != "::1" {
		c.errorf(path, "%s: expected http://127.0.0.1:PORT or http://[::1]:PORT, because the member asks nobody for a password, got %q", dotted(path), s)
	}
}

func (c *checker) tlsFiles(t TLSFiles, path ...any) {
	if (t.CertFile == "") != (t.KeyFile == "") {
		c.errorf(path, "%s: cert_file and key_file go together, only one of them is given", dotted(path))
	}
}
