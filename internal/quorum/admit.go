package quorum

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// A member with an empty directory must not simply begin. If it had voted before
// and has forgotten it, it could help to elect a member that lacks what the
// cluster has agreed on. So it asks the others first, at their peer URLs, and
// begins only when enough of them say that it was never part of the cluster:
// because they are empty as well, or because a person has replaced it. Enough is
// so many that one of them must have been in the majority that saw it begin.

const (
	askEvery  = 200 * time.Millisecond
	askWithin = 2 * time.Second
	// While a member waits it answers the others' questions with these headers.
	headerEmpty   = "X-Drwatch-Empty"   // yes, or known: it knew a store and has lost it
	headerCluster = "X-Drwatch-Cluster" // its token
)

// admission is how a member with an empty directory may begin; the zero value is
// not at all.
type admission struct {
	state   string            // embed.ClusterStateFlagNew or Existing
	members map[string]string // peer URLs by name
}

// peerAnswer is what one of the others says.
type peerAnswer struct {
	empty   bool // it has no data either
	known   bool // it has none, and had some
	members []peerMember
}

// peerMember is a member as etcd tells it at a peer URL.
type peerMember struct {
	ID         uint64   `json:"id"`
	Name       string   `json:"name"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"` // of one that was started
}

// admit waits until the member may begin, says what it waits for, and answers
// the others meanwhile. The admission is zero when orphaned first.
func admit(c memberConfig, orphaned <-chan struct{}, stdout io.Writer) (admission, error) {
	leave, err := c.answerOthers()
	if err != nil {
		return admission{}, err
	}
	defer leave()
	hc, err := c.peerClient()
	if err != nil {
		return admission{}, err
	}
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	answers, refused := map[string]peerAnswer{}, refusals{}
	said := ""
	for {
		c.askOthers(hc, answers, refused)
		may, why := c.judge(answers, refused)
		if may.state != "" {
			return may, nil
		}
		if why != said {
			fmt.Fprintln(stdout, why)
			said = why
		}
		select {
		case <-orphaned:
			return admission{}, nil
		case <-tick.C:
		}
	}
}

// answerOthers serves the peer URL until the returned function is called.
func (c memberConfig) answerOthers() (func(), error) {
	u, err := url.Parse(listenURL(c.Members[c.Name]))
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", u.Host)
	if err != nil {
		return nil, fmt.Errorf("listening at peer URL %s: %w", c.Members[c.Name], err)
	}
	if c.TLS != nil {
		conf, err := c.tlsInfo().ServerConfig()
		if err != nil {
			_ = l.Close() // nothing was served
			return nil, fmt.Errorf("peer_tls: %w", err)
		}
		l = tls.NewListener(l, conf)
	}
	empty := "yes"
	if c.Known {
		empty = "known"
	}
	srv := &http.Server{ReadHeaderTimeout: askWithin, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(headerEmpty, empty)
		w.Header().Set(headerCluster, c.token())
		w.WriteHeader(http.StatusServiceUnavailable)
	})}
	go func() { _ = srv.Serve(l) }() // it ends with Close
	return func() { _ = srv.Close() }, nil
}

func (c memberConfig) peerClient() (*http.Client, error) {
	t := &http.Transport{DisableKeepAlives: true}
	if c.TLS != nil {
		conf, err := c.tlsInfo().ClientConfig()
		if err != nil {
			return nil, fmt.Errorf("peer_tls: %w", err)
		}
		t.TLSClientConfig = conf
	}
	return &http.Client{Transport: t, Timeout: askWithin}, nil
}

// askOthers asks all others at once; who does not answer keeps what it said
// before, which is true as long as this member has not begun.
func (c memberConfig) askOthers(hc *http.Client, answers map[string]peerAnswer, refused refusals) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, peer := range c.others(answers) {
		wg.Go(func() {
			a, err := c.ask(hc, peer)
			mu.Lock()
			defer mu.Unlock()
			refused.note(peer, err)
			if err == nil {
				answers[peer] = a
			}
		})
	}
	wg.Wait()
}

// others are the peer URLs of the configuration and of the running cluster.
func (c memberConfig) others(answers map[string]peerAnswer) []string {
	urls := slices.Collect(maps.Values(c.Members))
	for _, a := range answers {
		for _, m := range a.members {
			urls = append(urls, m.PeerURLs...)
		}
	}
	urls = slices.DeleteFunc(urls, func(u string) bool { return u == c.Members[c.Name] })
	slices.Sort(urls)
	return slices.Compact(urls)
}

// errNotAMember is that something is there that is no member of this cluster.
var errNotAMember = errors.New("no member of this cluster")

func (c memberConfig) ask(hc *http.Client, peer string) (peerAnswer, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, peer+"/members", nil)
	if err != nil {
		return peerAnswer{}, err
	}
	resp, err := hc.Do(req)
	if err != nil {
		return peerAnswer{}, err
	}
	defer resp.Body.Close()
	if empty := resp.Header.Get(headerEmpty); empty != "" {
		if resp.Header.Get(headerCluster) != c.token() {
			return peerAnswer{}, errNotAMember
		}
		return peerAnswer{empty: true, known: empty == "known"}, nil
	}
	var a peerAnswer
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&a.members)
	if err != nil || resp.StatusCode != http.StatusOK || len(a.members) == 0 {
		return peerAnswer{}, errors.Join(errNotAMember, err)
	}
	return a, nil
}

// takenOut tells whether one of the others no longer has the member with that id.
func (c memberConfig) takenOut(id uint64) bool {
	hc, err := c.peerClient()
	if err != nil {
		return false
	}
	answers := map[string]peerAnswer{}
	c.askOthers(hc, answers, refusals{})
	for _, a := range answers {
		if len(a.members) > 0 && !slices.ContainsFunc(a.members, func(m peerMember) bool { return m.ID == id }) {
			return true
		}
	}
	return false
}

// enough is how many of the others of n members must vouch: so many that they
// meet any majority.
func enough(n int) int { return n - n/2 }

// tally is what all answers come to.
type tally struct {
	empty   int          // have no data either
	unbegun int          // know this member from the founding, and never saw it begin
	added   int          // know it as replaced, and never saw it begin
	running []peerMember // the cluster that it was replaced in
	lost    []string     // had a store and have lost it
	refused string       // not "": why it must not begin
	absent  bool         // because the running cluster does not have it
}

func (c memberConfig) tally(answers map[string]peerAnswer) tally {
	var t tally
	for _, peer := range slices.Sorted(maps.Keys(answers)) {
		a := answers[peer]
		i := slices.IndexFunc(a.members, func(m peerMember) bool { return slices.Contains(m.PeerURLs, c.Members[c.Name]) })
		switch {
		case a.empty && a.known:
			t.lost = append(t.lost, c.nameOf(peer))
		case a.empty:
			t.empty++
		case i < 0:
			t.refused, t.absent = "the running cluster does not have it as a member, as "+c.nameOf(peer)+" says", true
		case len(a.members[i].ClientURLs) > 0:
			t.refused = "its directory is empty, but it was a member of the running cluster already, as " + c.nameOf(peer) + " says"
		case a.members[i].Name == "":
			t.added++
			t.running = a.members
		default:
			t.unbegun++
		}
	}
	return t
}

// judge decides on what the others say; without an admission the text is a line
// for the parent.
func (c memberConfig) judge(answers map[string]peerAnswer, refused refusals) (admission, string) {
	t, quorum := c.tally(answers), enough(len(c.Members))
	switch {
	case t.absent:
		return admission{}, fmt.Sprintf("%s%s; when it is to be one, run `drwatch member replace %s --reason …` on a healthy observer whose initial_cluster names it, then it joins", sayWaiting, t.refused, c.Name)
	case t.refused != "":
		return admission{}, fmt.Sprintf("%s%s; it could have forgotten what it agreed to, so it does not start by itself: "+
			"run `drwatch member replace %s --reason …` on a healthy observer, then it joins", sayWaiting, t.refused, c.Name)
	case t.added > 0 && t.added >= enough(len(t.running)):
		return admission{embed.ClusterStateFlagExisting, c.named(t.running)}, ""
	case t.added > 0:
		return admission{}, fmt.Sprintf("%sit was replaced and joins when %d of the other members have confirmed it, %d have", sayWaiting, enough(len(t.running)), t.added)
	case c.Known && t.empty+t.unbegun+len(t.lost) >= quorum:
		return admission{}, fmt.Sprintf("%sits directory %s is empty, although a store is known from before, and the other members have nothing of it either", sayLost, c.Dir)
	case len(t.lost) > 0:
		return admission{}, fmt.Sprintf("%s%s had a store before and has lost it: look there", sayWaiting, strings.Join(t.lost, ", "))
	case t.empty+t.unbegun < quorum:
		return admission{}, fmt.Sprintf("%sits directory is empty, so it begins only when %d of the other members have answered at their peer URLs: %s",
			sayWaiting, quorum, c.whoAnswered(answers, refused))
	}
	return admission{embed.ClusterStateFlagNew, c.Members}, ""
}

func (c memberConfig) nameOf(peer string) string {
	for name, u := range c.Members {
		if u == peer {
			return name
		}
	}
	return peer
}

func (c memberConfig) whoAnswered(answers map[string]peerAnswer, refused refusals) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(c.Members)) {
		_, ok := answers[c.Members[name]]
		switch {
		case name == c.Name:
		case ok:
			out = append(out, name+" answered")
		default:
			out = append(out, name+" "+cmp.Or(refused[c.Members[name]], "no answer"))
		}
	}
	return strings.Join(out, ", ")
}

// named are the running members with names for those that have not told theirs.
func (c memberConfig) named(running []peerMember) map[string]string {
	out := map[string]string{}
	for _, m := range running {
		name := m.Name
		if name == "" {
			name = c.nameOf(m.PeerURLs[0])
		}
		out[name] = m.PeerURLs[0]
	}
	return out
}
