package config

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/drwatch/drwatch/internal/strictyaml"
)

// CheckCertificates judges at a time, as the other side of a connection will,
// what the certificate files of the coordination store hold. It passes over
// files that cannot be opened, of which CheckFiles tells.
func (c *Config) CheckCertificates(now time.Time) strictyaml.Problems {
	var ps strictyaml.Problems
	if t := c.Coordination.Embedded.PeerTLS; t != nil {
		v := c.readTLS(&ps, *t, "coordination", "embedded", "peer_tls")
		v.peer(c.ownPeerHost(), now)
		c.tell(&ps, v, "coordination", "embedded", "peer_tls")
	}
	if e := c.Coordination.Etcd; e != nil && e.TLS != nil {
		v := c.readTLS(&ps, *e.TLS, "coordination", "etcd", "tls")
		c.tell(&ps, v, "coordination", "etcd", "tls")
	}
	ps.Sort()
	return ps
}

// ownPeerHost is where the other members reach this one; "" when nothing says.
func (c *Config) ownPeerHost() string {
	e := c.Coordination.Embedded
	own := e.PeerURL
	if own == "" {
		own = e.InitialCluster[c.Observer.Name]
	}
	u, err := url.Parse(own)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// readTLS reads the files and takes them apart.
func (c *Config) readTLS(ps *strictyaml.Problems, t TLSFiles, path ...any) *tlsVerdict {
	read := func(key, file string) []byte {
		b, err := readOpenable(file)
		if err != nil {
			ps.Errorf(c.doc.Pos(under(path, key)...), "%s: %s", dotted(under(path, key)), err)
		}
		return b
	}
	v := &tlsVerdict{files: t}
	v.parse(read("cert_file", t.CertFile), read("key_file", t.KeyFile), read("ca_file", t.CAFile))
	return v
}

func (c *Config) tell(ps *strictyaml.Problems, v *tlsVerdict, path ...any) {
	for _, f := range v.found {
		put := ps.Errorf
		if f.warning {
			put = ps.Warnf
		}
		put(c.doc.Pos(under(path, f.key)...), "%s: %s", dotted(under(path, f.key)), f.text)
	}
}

// maxCertificates bounds what is read of one file; bundles of all public CAs have
// a quarter of it.
const maxCertificates = 1 << 20

// readOpenable is what a file holds, nil when it cannot be opened or is not given.
func readOpenable(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, nil // CheckFiles tells it
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCertificates+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > maxCertificates:
		return nil, fmt.Errorf("%s has more than %d bytes, want a file of certificates or a key", file, maxCertificates)
	case b == nil:
		b = []byte{}
	}
	return b, nil
}
