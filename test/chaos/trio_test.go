package chaos_test

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/drwatch/drwatch/internal/api"
	"github.com/drwatch/drwatch/internal/cloudsim"
	"github.com/drwatch/drwatch/internal/replication"
)

const (
	hold    = 2 * time.Second // `for` of the rule
	obsA    = "obs-a"
	obsB    = "obs-b"
	obsW    = "obs-w"
	azA     = "az-a"
	azB     = "az-b"
	witness = "witness"
	settle  = 8 * time.Second // after which what has not begun does not begin
)

// doc is a part of a YAML document.
type doc = map[string]any

// plan is how the three observers of a scenario differ from the usual ones.
type plan struct {
	groups func(w *world) // seeds the clouds; default: one group of SDRS, EVS and EBS each
	lease  string         // default 5s
	rule   string         // more lines of the rule
	edit   func(observer string, root doc)
	rules  func(observer, text string) string
	env    []string
	probes time.Duration            // how often a site is probed; default 500ms
	clocks map[string]time.Duration // by how much an observer's clock is wrong
	seats  []seat                   // default: the three
	first  int                      // so many of them make up the cluster at first; default: all
	disk   string                   // the observer with a disk of its own that can be filled
	// aLeads: the observer at the site that is lost leads at first. What becomes
	// of it takes no vote away.
	aLeads bool
}

// seat is where an observer stands.
type seat struct{ observer, site string }

// world is three observers, or five, and what they watch.
type world struct {
	*testing.T
	plan      plan
	cloud     *cloudsim.Cloud
	names     []string
	observers map[string]*observer
	peers     map[string]string
	reference *httptest.Server
	ids       []string // of the groups
	lost      time.Time
	wake      string // the file that ends a hang
	disk      disk
}

const rules = `groups:
- name: az-a-is-lost
  interval: 500ms
  rules:
  - failover: everything
    targets: '{active_site="az-a"}'
    site_unreachable: az-a
    for: 2s
    mode: auto
    quorum: {agree: 2, of: 3}
    fence: {accept_split_brain: "simulated"}
    guards: {lag_under: 1m, lag_unknown: allow, data_age_under: 30s, max_concurrent: 8}
`

// newWorld makes clouds, proxies and configurations; nothing is started.
func newWorld(t *testing.T, p plan) *world {
	t.Helper()
	c, err := cloudsim.New(addresses(t, cloudsim.Options{Now: time.Now, Seed: 1, Transition: 500 * time.Millisecond}))
	if err != nil {
		t.Fatal(err)
	}
	if p.seats == nil {
		p.seats = []seat{{obsA, azA}, {obsB, azB}, {obsW, witness}}
	}
	if p.first == 0 {
		p.first = len(p.seats)
	}
	w := &world{T: t, cloud: c, observers: map[string]*observer{}, peers: map[string]string{}}
	if p.groups == nil {
		p.groups = func(w *world) { w.sdrs(1); w.evs(); w.ebs() }
	}
	p.groups(w)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	w.reference = answering(t)
	at := map[string]links{}
	for i, s := range p.seats {
		at[s.observer] = between.join(t)
		if i < p.first {
			w.names = append(w.names, s.observer)
			w.peers[s.observer] = at[s.observer].peer()
		}
	}
	once := filepath.Join(t.TempDir(), "once")
	w.wake = filepath.Join(t.TempDir(), "wake")
	p.env = append([]string{"CHAOS_ONCE=" + once, "CHAOS_WAKE=" + w.wake}, p.env...)
	w.plan = p
	for _, s := range p.seats {
		w.observers[s.observer] = w.newObserver(s, at[s.observer])
	}
	t.Cleanup(w.end)
	return w
}

// addresses gives each listener of the clouds one that observers reach.
func addresses(t *testing.T, o cloudsim.Options) cloudsim.Options {
	o.Endpoints, o.HealthAddresses = cloudsim.DefaultEndpoints(), map[string]string{}
	for i := range o.Endpoints {
		o.Endpoints[i].Address = between.address(t)
	}
	for _, s := range cloudsim.DemoSites() {
		o.HealthAddresses[s.Name] = between.address(t)
	}
	return o
}

// answering is a server that observers reach.
func answering(t *testing.T) *httptest.Server {
	t.Helper()
	l, err := net.Listen("tcp", between.address(t))
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func (w *world) newObserver(s seat, at links) *observer {
	w.Helper()
	p, name, dir := w.plan, s.observer, w.TempDir()
	o := &observer{
		t: w.T, name: name, site: s.site, links: at, storage: filepath.Join(dir, "disk", "data"), log: filepath.Join(dir, "log"), env: append(slices.Clone(p.env), "CHAOS_CLOCK="+p.clocks[name].String()),
	}
	if name == p.disk {
		w.disk = between.disk(o, filepath.Join(dir, "disk"))
	}
	text := rules + p.rule
	if p.rules != nil {
		text = p.rules(name, text)
	}
	write(w.T, filepath.Join(dir, "rules.yml"), text)
	every := cmp.Or(p.probes, 500*time.Millisecond)
	path, err := w.cloud.WriteConfig(dir, cloudsim.ConfigOptions{
		PollInterval: time.Second, EvaluationInterval: 500 * time.Millisecond, ProbeInterval: every, ProbeTimeout: every * 4 / 5,
		Mode: "auto", RuleFiles: []string{"rules.yml"}, Observer: name, ObserverSite: s.site,
	})
	if err != nil {
		w.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		w.Fatal(err)
	}
	root := doc{}
	if err := yaml.Unmarshal(raw, &root); err != nil {
		w.Fatal(err)
	}
	w.connect(o, root)
	if p.edit != nil {
		p.edit(name, root)
	}
	o.config, o.root = path, root
	if p.aLeads && name != obsA {
		o.later = root
		root = withoutActing(root)
	}
	o.configure(root)
	return o
}

// withoutActing is the configuration of an observer that never leads.
func withoutActing(root doc) doc {
	out, accounts := maps.Clone(root), []any{}
	for _, a := range root["accounts"].([]any) {
		account := maps.Clone(a.(doc))
		account["action_credentials"] = "none"
		accounts = append(accounts, account)
	}
	out["accounts"] = accounts
	return out
}

// configure writes the observer's configuration.
func (o *observer) configure(root doc) {
	o.t.Helper()
	raw, err := yaml.Marshal(root)
	if err != nil {
		o.t.Fatal(err)
	}
	write(o.t, o.config, string(raw))
}

// connect leads all that the observer asks through its own links. The probes are
// named alike at all of them, or their rules would differ.
func (w *world) connect(o *observer, root doc) {
	root["coordination"] = doc{"lease_ttl": cmp.Or(w.plan.lease, "5s"), "embedded": doc{"initial_cluster": w.peers}}
	module := root["probe_modules"].(doc)["http_2xx"].(doc)
	if o.links.proxy() != "" {
		module["http"] = doc{"proxy_from_environment": true, "skip_resolve_phase_with_proxy": true}
	}
	sites := root["sites"].([]any)
	for _, s := range sites {
		probes, _ := s.(doc)["probes"].([]any)
		for _, pr := range probes {
			pr.(doc)["target"] = o.links.named(pr.(doc)["target"].(string))
		}
	}
	known := map[string]bool{}
	for _, s := range sites {
		known[s.(doc)["name"].(string)] = true
	}
	for _, s := range w.plan.seats {
		if !known[s.site] {
			sites, known[s.site] = append(sites, doc{"name": s.site}), true
		}
	}
	root["sites"] = sites
	root["observer"].(doc)["references"] = []doc{{"name": "gateway", "module": "http_2xx", "target": o.links.named(w.reference.URL)}}
	own := map[string]string{}
	for _, a := range root["accounts"].([]any) {
		account := a.(doc)
		account["action_timeout"] = "1s"
		for _, key := range []string{"endpoint", "action_endpoint"} {
			url, ok := account[key].(string)
			if !ok {
				continue
			}
			if own[url] == "" {
				own[url] = o.links.to(url)
			}
			account[key] = own[url]
		}
	}
}

func at(region, zone string) replication.Location {
	return replication.Location{Region: region, Zone: zone}
}

func (w *world) added(id string, err error) string {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	w.ids = append(w.ids, id)
	return id
}

func (w *world) sdrs(n int) {
	for i := range n {
		w.addSDRS(fmt.Sprintf("servers-%d", i))
	}
}

func (w *world) addSDRS(name string) string {
	return w.added(w.cloud.AddSDRS(cloudsim.SDRSGroup{Name: name, Source: at("cn-north-4", "cn-north-4a"), Target: at("cn-north-4", "cn-north-4b"), Pairs: 1}))
}

func (w *world) evs() {
	w.added(w.cloud.AddEVS(cloudsim.EVSGroup{Name: "volumes", Source: at("eu-west-0", "eu-west-0a"), Target: at("eu-west-0", "eu-west-0b"), Pairs: 2}))
}

func (w *world) ebs() {
	w.added(w.cloud.AddEBS(cloudsim.EBSGroup{Name: "disks", Source: at("cn-beijing", "cn-beijing-f"), Target: at("cn-shanghai", "cn-shanghai-b"), Pairs: 2, RPO: 15 * time.Minute, SyncEvery: time.Second}))
}

func (w *world) dws() {
	w.added(w.cloud.AddDWS(cloudsim.DWSGroup{Name: "warehouse", Source: at("cn-north-4", "cn-north-4a"), Target: at("cn-north-4", "cn-north-4b"), SyncPeriod: 10 * time.Minute, SyncEvery: time.Second}))
}

// begin starts the three observers and waits until each can vouch for itself.
func (w *world) begin() {
	w.Helper()
	for _, n := range w.names {
		w.observers[n].start()
	}
	w.eventually("all observers ready and fit", 60*time.Second, w.allFit)
	for _, n := range w.names {
		if o := w.observers[n]; o.later != nil {
			o.configure(o.later)
			o.reload()
			w.eventually(n+" to reload", 10*time.Second, func() bool { return o.logged("configuration reloaded") })
		}
	}
	// The leader has then seen the others' hearts beat.
	<-time.After(1200 * time.Millisecond)
}

func (w *world) allFit() bool {
	for _, n := range w.names {
		if o := w.observers[n]; o.alive() && !o.fit() {
			return false
		}
	}
	return true
}

// end kills what still runs.
func (w *world) end() {
	for _, n := range w.names {
		w.observers[n].kill()
	}
	if !w.Failed() {
		return
	}
	for _, n := range w.names {
		w.Log(w.observers[n].logs())
	}
}

// eventually waits for a condition on the real daemons.
func (w *world) eventually(what string, within time.Duration, ok func() bool) time.Duration {
	w.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > within {
			w.Fatalf("in vain for %s: %s\n%s", within, what, w.told())
		}
		<-time.After(50 * time.Millisecond)
	}
	return time.Since(began)
}

// lose takes the site az-a down.
func (w *world) lose(how cloudsim.Loss) {
	w.Helper()
	if err := w.cloud.LoseSite(azA, how); err != nil {
		w.Fatal(err)
	}
	w.lost = time.Now()
}

func (w *world) restore() {
	w.Helper()
	if err := w.cloud.RestoreSite(azA); err != nil {
		w.Fatal(err)
	}
}

// leader is the observer that leads, which may take a moment to be one.
func (w *world) leader() *observer {
	w.Helper()
	var found *observer
	w.eventually("somebody leads", 30*time.Second, func() bool {
		for _, n := range w.names {
			if o := w.observers[n]; o.alive() && o.leads() {
				found = o
			}
		}
		return found != nil
	})
	return found
}

// hit is the observer that came to the step of CHAOS_AT.
func (w *world) hit(within time.Duration) *observer {
	w.Helper()
	var found *observer
	w.eventually("an observer comes to the step", within, func() bool {
		for _, n := range w.names {
			select {
			case <-w.observers[n].current().hit:
				found = w.observers[n]
			default:
			}
		}
		return found != nil
	})
	return found
}

// part cuts both ways between two observers' stores.
func (w *world) part(a, b string) {
	w.observers[a].links.cut(w.peers[b])
	w.observers[b].links.cut(w.peers[a])
}

// join mends them.
func (w *world) join(a, b string) {
	w.observers[a].links.mend(w.peers[b])
	w.observers[b].links.mend(w.peers[a])
}

// blind makes the observer see the site down.
func (w *world) blind(name, site string) {
	w.observers[name].links.cut(w.cloud.HealthURL(site))
}

// endpoints are the clouds' URLs.
func (w *world) endpoints() []string {
	var out []string
	for _, e := range cloudsim.DefaultEndpoints() {
		out = append(out, w.cloud.URL(e.Name))
	}
	return out
}

// some is any observer whose API answers.
func (w *world) some() *observer {
	for _, n := range w.names {
		o := w.observers[n]
		if !o.alive() || stopped(o.current().cmd.Process.Pid) {
			continue
		}
		if _, err := get[api.Status](o, "status"); err == nil {
			return o
		}
	}
	return nil
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
