package app

import (
	"path/filepath"

	"github.com/drwatch/drwatch/internal/config"
	"github.com/drwatch/drwatch/internal/quorum"
)

// storeOptions are the coordination store's.
func storeOptions(o *Options, c *config.Config) quorum.Options {
	e := c.Coordination.Embedded
	out := quorum.Options{
		Dir: filepath.Join(o.StoragePath, "etcd"), Cluster: c.Coordination.Cluster, Observer: c.Observer.Name, Site: c.Observer.Site, Version: o.Version,
		LeaseTTL: c.Coordination.LeaseTTL, ClientURL: e.ClientURL, Command: o.MemberCommand,
		Logger: o.Logger.With("component", "store"), Now: o.Now,
	}
	if len(e.InitialCluster) > 1 {
		out.Peers = &quorum.Peers{Members: e.InitialCluster}
		if e.PeerTLS != nil {
			tls := quorum.TLS(*e.PeerTLS)
			out.Peers.TLS = &tls
		}
	}
	return out
}
