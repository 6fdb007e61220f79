package config

import (
	"maps"
	"net/url"
	"slices"
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
		c.hostURL(endpoint, under(p, "endpoints", i)...)
	}
	if (e.Username == "") != (e.PasswordFile == "") {
		c.errorf(p, "coordination.etcd: username and password_file go together, only one of them is given")
	}
	if e.TLS != nil {
		c.tlsFiles(*e.TLS, under(p, "tls")...)
	}
}

func (c *checker) embedded(e Embedded) {
	p := at("coordination", "embedded")
	c.clientURL(e.ClientURL, under(p, "client_url")...)
	if e.PeerURL != "" {
		c.hostURL(e.PeerURL, under(p, "peer_url")...)
	}
	if e.PeerTLS != nil {
		c.tlsFiles(*e.PeerTLS, under(p, "peer_tls")...)
	}
	members := slices.Sorted(maps.Keys(e.InitialCluster))
	seen := map[string][]any{}
	for _, name := range members {
		c.id(name, under(p, "initial_cluster", name)...)
		c.hostURL(e.InitialCluster[name], under(p, "initial_cluster", name)...)
		c.unique(seen, e.InitialCluster[name], "peer URL", under(p, "initial_cluster", name)...)
	}
	if len(members) == 0 {
		return
	}
	if own, ok := e.InitialCluster[c.Observer.Name]; !ok {
		if c.doc.Has("observer", "name") {
			c.errorf(under(p, "initial_cluster"), "coordination.embedded.initial_cluster: this observer, %q, is not among its members", c.Observer.Name)
		}
	} else if e.PeerURL != "" && own != e.PeerURL {
		c.errorf(under(p, "peer_url"), "coordination.embedded.peer_url: initial_cluster says %q for this observer, got %q", own, e.PeerURL)
	}
	if len(members) > 1 && e.PeerURL == "" {
		c.errorf(p, "coordination.embedded: peer_url is required with more than one member")
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
