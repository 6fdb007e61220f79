package app

import (
	"context"
	"path/filepath"

	"github.com/drwatch/drwatch/internal/api"
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
	if x := c.Coordination.Etcd; x != nil {
		out.Etcd = &quorum.Etcd{Endpoints: x.Endpoints, Username: x.Username, PasswordFile: x.PasswordFile}
		if x.TLS != nil {
			tls := quorum.TLS(*x.TLS)
			out.Etcd.TLS = &tls
		}
	}
	return out
}

// Members are who makes up the coordination store, with what is known of their
// observers.
func (o operator) Members(ctx context.Context) (api.Members, error) {
	roster, err := o.app.store.Roster(ctx)
	if err != nil {
		return api.Members{}, o.done(err)
	}
	observers := o.app.controller.State().Cluster.Observers
	out := api.Members{Agreed: roster.Agreed, Notes: append([]string{}, roster.Differs...), Members: []api.Member{}}
	for _, m := range roster.Members {
		row := api.Member{Name: m.Name, PeerURL: m.PeerURL, Started: m.Started, Leads: m.Leads, Self: m.Self}
		for _, ob := range observers {
			if ob.Name == m.Name {
				row.Alive, row.Site, row.Version = true, ob.Site, ob.Version
			}
		}
		out.Members = append(out.Members, row)
	}
	return out, nil
}

// ReplaceMember lets an observer that lost its data begin anew.
func (o operator) ReplaceMember(ctx context.Context, name, who, reason string) error {
	return o.done(o.app.store.ReplaceMember(ctx, name, who, reason))
}

// RemoveMember takes an observer's member out of the store.
func (o operator) RemoveMember(ctx context.Context, name, who, reason string) error {
	return o.done(o.app.store.RemoveMember(ctx, name, who, reason))
}
