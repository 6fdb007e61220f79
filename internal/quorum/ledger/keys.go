package ledger

import (
	"crypto/sha256"
	"fmt"
	"net/url"
	"strings"

	"github.com/drwatch/drwatch/internal/replication"
)

// operator is the journal of what persons did to the whole store.
const operator = replication.PersonsJournal

// keys builds the keys of one cluster. Names are escaped, so that a slash or a
// space in a provider's id cannot reach into another key.
type keys struct{ root string }

func newKeys(cluster string) keys { return keys{root: "/drwatch/" + url.PathEscape(cluster) + "/"} }

func (k keys) join(parts ...string) string {
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return k.root + strings.Join(parts, "/")
}

func (k keys) leader() string { return k.join("leader") }
func (k keys) freeze() string { return k.join("freeze") }
func (k keys) clock() string  { return k.join("clock") }
func (k keys) format() string { return k.join("format") }
func (k keys) registered(name string) string {
	return k.join("registered", name)
}
func (k keys) observer(name string) string { return k.join("observer", name) }
func (k keys) incident(id string) string   { return k.join("incident", id) }
func (k keys) incidents() string           { return k.root + "incident/" }
func (k keys) holder(id string) string     { return k.join("holder", id) }
func (k keys) abort(id string) string      { return k.join("abort", id) }
func (k keys) loss(site string) string     { return k.join("loss", site) }
func (k keys) slot(rule string, n int) string {
	return k.join("slot", rule, fmt.Sprint(n))
}
func (k keys) started(rule, incident string) string { return k.join("started", rule, incident) }
func (k keys) startedOf(rule string) string         { return k.join("started", rule) + "/" }
func (k keys) allStarted() string                   { return k.root + "started/" }

// votesOn holds all votes of the rule on the group, beside those on groups that
// share its shard.
func (k keys) votesOn(rule string, g replication.GroupKey) string {
	return k.join("vote", rule, shard(g)) + "/"
}

// voted is written with every vote of an observer on a rule: one small key, to
// notice a new vote on any group by without reading thousands.
func (k keys) voted(rule, observer string) string { return k.join("voted", rule, observer) }
func (k keys) allVoted(rule string) string        { return k.join("voted", rule) + "/" }

func (k keys) chain() string { return k.join("chain", operator) }
func (k keys) late(id string, token int64) string {
	return k.join("late", id, fmt.Sprint(token))
}
func (k keys) lates(id string) string { return k.join("late", id) + "/" }
func (k keys) allLates() string       { return k.root + "late/" }

// Under archive/ stands the order of what the observers archive: its head, the
// anchors that some archive still lacks, how far each journal is anchored, and
// how far each observer's archive is.
func (k keys) archiveHead() string { return k.join("archive", "head") }

func (k keys) anchor(seq int64) string {
	return k.join("archive", "anchor", fmt.Sprintf("%012d", seq))
}

func (k keys) anchoredChain(id string) string { return k.join("archive", "chain", id) }
func (k keys) anchoredChains() string         { return k.root + "archive/chain/" }

func (k keys) progress(observer string) string { return k.join("archive", "observer", observer) }
func (k keys) allProgress() string             { return k.root + "archive/observer/" }
func (k keys) observers() string               { return k.root + "observer/" }
func (k keys) allRegistered() string           { return k.root + "registered/" }

func (k keys) group(g replication.GroupKey) string {
	return k.join("group", string(g.Provider), g.ID)
}

func (k keys) episode(rule string, g replication.GroupKey) string {
	return k.join("episode", string(g.Provider), g.ID, rule)
}

func (k keys) episodes(g replication.GroupKey) string {
	return k.join("episode", string(g.Provider), g.ID) + "/"
}

func (k keys) entry(id string, seq int) string {
	return k.join("journal", id, fmt.Sprintf("%06d", seq))
}

func (k keys) journal(id string) string { return k.join("journal", id) + "/" }

// vote is the key of one observer's votes of one rule in one shard. Vetoes
// stand in keys of their own, because they outlive the others' lease; the lease
// in the name keeps a later life of the observer from writing over them.
func (k keys) vote(rule, observer string, g replication.GroupKey, vetoLease int64) string {
	parts := []string{"vote", rule, shard(g), observer}
	if vetoLease != 0 {
		parts = append(parts, "veto", fmt.Sprintf("%x", vetoLease))
	}
	return k.join(parts...)
}

// shard spreads the groups of a rule over 256 keys.
func shard(g replication.GroupKey) string {
	sum := sha256.Sum256([]byte(g.String()))
	return fmt.Sprintf("%02x", sum[0])
}

// state is all of the cluster but the journals and what is about archiving them,
// which no decision reads.
func (k keys) state() []Span {
	archive, journals := Under(k.root+"archive/"), Under(k.root+"journal/")
	return []Span{{From: k.root, To: archive.From}, {From: archive.To, To: journals.From}, {From: journals.To, To: after(k.root)}}
}

// only is the span of one key.
func only(key string) Span { return Span{From: key, To: key + "\x00"} }

// split undoes join.
func (k keys) split(key string) ([]string, error) {
	rest, ok := strings.CutPrefix(key, k.root)
	if !ok {
		return nil, fmt.Errorf("key %q is not under %q", key, k.root)
	}
	parts := strings.Split(rest, "/")
	for i, p := range parts {
		u, err := url.PathUnescape(p)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", key, err)
		}
		parts[i] = u
	}
	return parts, nil
}

// Root is the prefix of all keys of the cluster.
func (l *Ledger) Root() string { return l.keys.root }

// Decisive tells whether a key under root is one that a decision looks at.
// Heartbeats, the clock and the journals change all the time, or change with
// something else that does.
func Decisive(root, key string) bool {
	kind, _, _ := strings.Cut(strings.TrimPrefix(key, root), "/")
	switch kind {
	case "vote", "leader", "freeze", "incident", "abort", "group", "episode", "loss", "slot", "late", "format":
		return true
	}
	return false
}
