package quorum

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// Options say where the store lives and who the observer is.
type Options struct {
	Dir       string                      // the member's data, <storage.path>/etcd; made when absent
	Cluster   string                      // prefix of all keys
	Observer  string                      // this observer's name, unique in the cluster
	Site      string                      // the site it stands in, "" when it stands in none
	Version   string                      // of drwatch, shown to the other observers
	LeaseTTL  time.Duration               // how long silence is taken for life
	ClientURL string                      // http://127.0.0.1:PORT; "" or port 0 = choose one
	Command   []string                    // argv of a process that runs MemberMain
	Peers     *Peers                      // nil: the member is alone
	Etcd      *Etcd                       // not nil: no member, a client of somebody else's etcd
	Quota     int64                       // bytes of the member's database; 0 = 256 MiB
	History   time.Duration               // how long the member remembers what is past; 0 = 1h
	Shows     func(*replication.Observer) // fills in what else the others should know; nil: nothing
	MayLead   func() bool                 // whether it has credentials to act with, shown to the others; nil: it has
	Logger    *slog.Logger
	Now       func() time.Time
}

// Peers are the members of a cluster of several observers.
type Peers struct {
	// Members are the peer URLs of all observers by name, this one included: what
	// the cluster is founded with. The running cluster goes by what it has agreed on.
	Members map[string]string
	TLS     *TLS // nil: plain http
}

// TLS names a certificate with its key, and who signs the other side's. The
// files are read again at each handshake, the CA at each start.
type TLS struct {
	CertFile string
	KeyFile  string
	CAFile   string
}

func (o *Options) check() error {
	if o.ClientURL == "" {
		o.ClientURL = "http://127.0.0.1:0"
	}
	if o.Quota == 0 {
		o.Quota = quotaBytes
	}
	if o.History == 0 {
		o.History = time.Hour
	}
	switch {
	case o.Dir == "" || o.Cluster == "" || o.Observer == "":
		return errors.New("directory, cluster and observer must be named")
	case o.LeaseTTL < time.Second:
		return fmt.Errorf("lease_ttl %s: want at least 1s", o.LeaseTTL)
	case o.Logger == nil || o.Now == nil:
		return errors.New("no logger or no clock")
	case o.Etcd != nil:
		return o.Etcd.check()
	case len(o.Command) == 0:
		return errors.New("no command to run the member with")
	case !strings.HasPrefix(o.ClientURL, "http://127.0.0.1:") && !strings.HasPrefix(o.ClientURL, "http://[::1]:"):
		return fmt.Errorf("client_url %s: want http://127.0.0.1:PORT or http://[::1]:PORT, the member serves this machine only", o.ClientURL)
	case o.Peers != nil:
		return o.Peers.check(o.Observer)
	}
	return nil
}

func (p *Peers) check(observer string) error {
	if _, ok := p.Members[observer]; !ok {
		return fmt.Errorf("observer %s is not among the members of initial_cluster", observer)
	}
	for name, peer := range p.Members {
		u, err := url.Parse(peer)
		switch {
		case err != nil || u.Port() == "":
			return fmt.Errorf("peer URL %s of %s: want https://HOST:PORT", peer, name)
		case (u.Scheme == "https") != (p.TLS != nil):
			return fmt.Errorf("peer URL %s of %s: https and peer_tls go together", peer, name)
		}
	}
	return nil
}

// absolute makes what is named by relative paths independent of the directory
// that the member works in.
func (o *Options) absolute() (err error) {
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	if len(o.Command) > 0 && strings.ContainsRune(o.Command[0], filepath.Separator) {
		exe, err := filepath.Abs(o.Command[0])
		if err != nil {
			return fmt.Errorf("command %s: %w", o.Command[0], err)
		}
		o.Command = append([]string{exe}, o.Command[1:]...)
	}
	if o.Peers != nil && o.Peers.TLS != nil {
		tls, err := o.Peers.TLS.absolute()
		if err != nil {
			return err
		}
		o.Peers = &Peers{Members: o.Peers.Members, TLS: tls}
	}
	return nil
}
