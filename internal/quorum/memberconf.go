package quorum

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
)

// memberConfig is what the parent writes to the child's standard input, as one
// line of JSON.
type memberConfig struct {
	Dir          string `json:"dir"`
	Lock         string `json:"lock"`
	ClientURL    string `json:"client_url"`
	QuotaBytes   int64  `json:"quota_bytes"`
	SegmentBytes int64  `json:"segment_bytes"`
	History      string `json:"history"` // a duration

	// Of a cluster of several observers only.
	Name    string            `json:"name,omitempty"`
	Cluster string            `json:"cluster,omitempty"`
	Members map[string]string `json:"members,omitempty"` // peer URLs by name
	TLS     *TLS              `json:"tls,omitempty"`
	// Known: this observer knows a store from before.
	Known bool `json:"known,omitempty"`
}

const (
	loneName = "drwatch"
	// loneAdvertise is only a name while the member is alone: its peer listener
	// is a socket in its working directory.
	loneAdvertise = "http://127.0.0.1:10110"
	loneSocket    = "unix://peer.sock"
)

// diagnosis is an end of the member whose cause is known better than etcd tells
// it: one sentence on what is wrong and what to do.
type diagnosis string

func (d diagnosis) Error() string { return string(d) }

// removed is the end of a member that the others have taken out.
const removed diagnosis = "the running cluster has removed or replaced this member: move its data directory away, " +
	"and look at `drwatch member list` on another observer; one that was replaced joins again by itself"

// etcdConfig is a member with short logs and a small quota: the store holds
// kilobytes. It serves clients of this machine only and is durable: fsync stays
// on.
func etcdConfig(c memberConfig) (*embed.Config, error) {
	client, err := url.Parse(c.ClientURL)
	if err != nil {
		return nil, err
	}
	cfg := embed.NewConfig()
	cfg.Dir = c.Dir
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	cfg.AutoCompactionMode, cfg.AutoCompactionRetention = embed.CompactorModePeriodic, c.History
	cfg.QuotaBackendBytes = c.QuotaBytes
	cfg.WarningUnaryRequestDuration = time.Second
	cfg.SnapshotCount, cfg.SnapshotCatchUpEntries = 5000, 1000
	cfg.MaxSnapFiles, cfg.MaxWalFiles = 2, 2
	cfg.EnableGRPCGateway = false
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(stderrLogger())
	if len(c.Members) == 0 {
		return cfg, alone(cfg)
	}
	return cfg, c.among(cfg)
}

// alone is a member that has no others.
func alone(cfg *embed.Config) error {
	peer, err := types.NewURLs([]string{loneSocket})
	if err != nil {
		return err
	}
	advertise, err := types.NewURLs([]string{loneAdvertise})
	if err != nil {
		return err
	}
	cfg.Name = loneName
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = peer, advertise
	cfg.InitialCluster = loneName + "=" + loneAdvertise
	// Without chance in it, a member that starts on an emptied directory would
	// have the cluster id of the one that was lost.
	cfg.InitialClusterToken = rand.Text()
	// There is nobody to vote against: the shorter, the sooner it serves.
	cfg.TickMs, cfg.ElectionMs = 50, 250
	return nil
}

// among is a member of several. All of them derive the same token, or they would
// not be one cluster.
func (c memberConfig) among(cfg *embed.Config) error {
	advertise, err := types.NewURLs([]string{c.Members[c.Name]})
	if err != nil {
		return err
	}
	listen, err := types.NewURLs([]string{listenURL(c.Members[c.Name])})
	if err != nil {
		return err
	}
	cfg.Name = c.Name
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = listen, advertise
	cfg.InitialCluster, cfg.InitialClusterToken = initialCluster(c.Members), c.token()
	cfg.PeerTLSInfo = c.tlsInfo()
	// Between sites: beats each 200 ms, and none for a second before another leads.
	// Each beat costs all members some of their idle CPU.
	cfg.TickMs, cfg.ElectionMs = 200, 1000
	cfg.PreVote, cfg.StrictReconfigCheck = true, true
	return nil
}

func (c memberConfig) token() string { return "drwatch/" + c.Cluster }

// tlsInfo is mutual: whoever connects shows a certificate of the CA. What address
// it comes from is not compared with the certificate: between sites there may be
// NAT, and looking names up would make the store depend on DNS.
func (c memberConfig) tlsInfo() transport.TLSInfo {
	if c.TLS == nil {
		return transport.TLSInfo{}
	}
	return transport.TLSInfo{
		CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile, TrustedCAFile: c.TLS.CAFile,
		ClientCertAuth: true, SkipClientSANVerify: true,
	}
}

// listenURL is where a member with that peer URL listens: on the address itself,
// or on all when it is a name, which may stand for an address elsewhere.
func listenURL(peer string) string {
	u, err := url.Parse(peer)
	if err != nil || u.Hostname() == "localhost" || net.ParseIP(u.Hostname()) != nil {
		return peer
	}
	u.Host = net.JoinHostPort("0.0.0.0", u.Port())
	return u.String()
}

func initialCluster(members map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		out = append(out, name+"="+members[name])
	}
	return strings.Join(out, ",")
}

// fits refuses data of a lone observer in a cluster of several, and the other
// way round: a lone member is a majority by itself.
func (c memberConfig) fits(found []*membership.Member) error {
	lone := len(found) == 1 && found[0].Name == loneName
	switch {
	case len(found) == 0: // not known yet
		return nil
	case len(c.Members) > 0 && lone:
		return diagnosis(fmt.Sprintf("%s holds the store of a lone observer, but initial_cluster names %d: "+
			"end and acknowledge its incidents, move the directory and %s.seen.json away, and start again", c.Dir, len(c.Members), c.Dir))
	case len(c.Members) == 0 && !lone:
		return diagnosis(fmt.Sprintf("%s holds the store of a cluster of %d members, but initial_cluster names none: put it back, "+
			"or move the directory and %s.seen.json away to begin anew", c.Dir, len(found), c.Dir))
	}
	return nil
}

func hasLogs(dir string) bool {
	logs, err := filepath.Glob(filepath.Join(dir, "member", "wal", "*.wal"))
	return err != nil || len(logs) > 0
}
