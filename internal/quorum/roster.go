package quorum

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Member is one member of the store.
type Member struct {
	Name    string // "" when it was added and has not begun
	PeerURL string // "" of a lone observer, which has no peers
	Started bool   // it has begun at least once
	Leads   bool   // of etcd, as this observer's own member sees it
	Self    bool

	id uint64
}

// Roster is who makes up the store.
type Roster struct {
	Members []Member // by name
	// Agreed: a majority says so now. Else it is what this observer's own member
	// knew last.
	Agreed bool
	// Differs are sentences on where the configuration says otherwise; nothing is
	// changed because of it.
	Differs []string
}

// Errors where there are no members to look after.
var (
	errNoMembers = fmt.Errorf("%w: this observer is alone: its store has no other members", ErrRefused)
	errNotOurs   = fmt.Errorf("%w: the store is an etcd that somebody else runs, and so are its members", ErrRefused)
)

// changeWithin bounds a change of the membership. etcd refuses one for a few
// seconds after a connection between members was lost.
const (
	changeWithin = 20 * time.Second
	changeEvery  = 500 * time.Millisecond
)

// Roster tells the members of the running store.
func (s *Store) Roster(ctx context.Context) (Roster, error) {
	if s.member.o.Etcd != nil {
		return Roster{}, errNotOurs
	}
	cli, err := s.member.client()
	if err != nil {
		return Roster{}, fmt.Errorf("members of the coordination store: %w", err)
	}
	asking, cancel := context.WithTimeout(ctx, changeEvery*2)
	defer cancel()
	list, err := cli.MemberList(clientv3.WithRequireLeader(asking))
	out := Roster{Agreed: err == nil}
	if err != nil {
		local, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		if list, err = cli.MemberList(local, clientv3.WithSerializable()); err != nil {
			return out, fmt.Errorf("members of the coordination store: %w", s.member.explain(err))
		}
	}
	leader := s.member.etcdLeader(ctx, cli)
	for _, m := range list.Members {
		one := Member{Name: m.Name, Started: len(m.ClientURLs) > 0, Leads: m.ID == leader, Self: m.ID == list.Header.MemberId, id: m.ID}
		if len(m.PeerURLs) > 0 {
			one.PeerURL = m.PeerURLs[0]
		}
		if one.Name == "" {
			one.Name = s.member.nameOf(one.PeerURL)
		}
		out.Members = append(out.Members, one)
	}
	if s.member.o.Peers == nil && len(out.Members) == 1 { // its etcd has a name and a URL that mean nothing to anybody
		out.Members[0].Name, out.Members[0].PeerURL = s.member.o.Observer, ""
	}
	slices.SortFunc(out.Members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	out.Differs = s.member.differs(out.Members)
	return out, nil
}

// etcdLeader is the id of the member that leads etcd, 0 when none is known.
func (m *member) etcdLeader(ctx context.Context, cli *clientv3.Client) uint64 {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	st, err := cli.Status(ctx, m.snapshot().ClientURL)
	if err != nil {
		return 0
	}
	return st.Leader
}

func (m *member) nameOf(peer string) string {
	if m.o.Peers == nil {
		return ""
	}
	for name, u := range m.o.Peers.Members {
		if u == peer {
			return name
		}
	}
	return ""
}

// differs compares the running members with the configuration.
func (m *member) differs(running []Member) []string {
	if m.o.Peers == nil {
		return nil
	}
	var out []string
	for _, r := range running {
		switch want, ok := m.o.Peers.Members[r.Name]; {
		case !ok:
			out = append(out, fmt.Sprintf("%s (%s) is a member, and not in initial_cluster here", r.Name, r.PeerURL))
		case want != r.PeerURL:
			out = append(out, fmt.Sprintf("%s is at %s, and initial_cluster here says %s", r.Name, r.PeerURL, want))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.o.Peers.Members)) {
		if !slices.ContainsFunc(running, func(r Member) bool { return r.Name == name }) {
			out = append(out, name+" is in initial_cluster here, and not a member")
		}
	}
	return out
}

// ReplaceMember lets an observer begin anew that has lost its data: its member is
// taken out and added as one that never was part of the cluster. It then joins by
// itself, from an empty directory. An observer that initial_cluster names and the
// running cluster does not have is added. ErrRefused while it is alive or when
// the majority would be at stake, ErrNotFound when nobody has that name.
func (s *Store) ReplaceMember(ctx context.Context, name, who, reason string) error {
	return s.change(ctx, "member_replace", name, who, reason, true)
}

// RemoveMember takes a member out for good; the errors are those of
// ReplaceMember.
func (s *Store) RemoveMember(ctx context.Context, name, who, reason string) error {
	return s.change(ctx, "member_remove", name, who, reason, false)
}

func (s *Store) change(ctx context.Context, event, name, who, reason string, add bool) error {
	ctx, cancel := context.WithTimeout(ctx, changeWithin)
	defer cancel()
	what := strings.ReplaceAll(event, "_", " ") + " " + name
	switch {
	case add && s.member.o.Etcd != nil:
		return fmt.Errorf("%s: %w", what, errNotOurs)
	case add && s.member.o.Peers == nil:
		return fmt.Errorf("%s: %w", what, errNoMembers)
	case s.member.o.Peers == nil:
		return s.forget(ctx, what, event, name, who, reason)
	}
	old, url, err := s.changeable(ctx, name, add)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := s.Note(ctx, event, name, who, reason); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := s.member.swap(ctx, old, url, add); err != nil {
		noted := s.Note(ctx, event+"_failed", name, who, err.Error())
		return fmt.Errorf("%s: %w", what, errors.Join(err, noted))
	}
	if !add {
		if err := s.Unregister(ctx, name); err != nil {
			return fmt.Errorf("%s: it is no member any more, but its site still counts: ask again: %w", what, err)
		}
	}
	s.member.o.Logger.Warn("the members of the coordination store were changed", "change", what, "who", who, "reason", reason)
	return nil
}

// forget takes an observer that has no member of its own out of those whose sites
// count.
func (s *Store) forget(ctx context.Context, what, event, name, who, reason string) error {
	cluster, err := s.Read(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if _, known := cluster.Registered[name]; !known {
		return fmt.Errorf("%s: %w: no observer of that name belongs to the cluster", what, ErrNotFound)
	}
	for _, o := range cluster.Observers {
		if o.Name == name {
			return fmt.Errorf("%s: %w: it is alive; stop that observer first, and wait until its lease of %s has run out", what, ErrRefused, s.member.o.LeaseTTL)
		}
	}
	if err := s.Note(ctx, event, name, who, reason); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return s.Unregister(ctx, name)
}

// changeable finds the member and refuses what must not be done to it. The id is
// 0 when it is to be added only.
func (s *Store) changeable(ctx context.Context, name string, add bool) (id uint64, url string, err error) {
	roster, err := s.Roster(ctx)
	if err != nil {
		return 0, "", err
	}
	cluster, err := s.Read(ctx)
	if err != nil {
		return 0, "", err
	}
	alive := map[string]bool{s.member.o.Observer: true}
	for _, o := range cluster.Observers {
		alive[o.Name] = true
	}
	i := slices.IndexFunc(roster.Members, func(m Member) bool { return m.Name == name })
	configured, known := s.member.o.Peers.Members[name]
	_, registered := cluster.Registered[name]
	switch {
	case i < 0 && !add && registered && !alive[name]:
		return 0, "", nil // taken out before, and its site still counts
	case i < 0 && add && !known:
		return 0, "", fmt.Errorf("%w: no member has that name; the members are %s: to add one, add %s with its peer URL to initial_cluster of this observer, restart it, and ask again",
			ErrNotFound, namesOf(roster.Members), name)
	case i < 0 && !add:
		return 0, "", fmt.Errorf("%w: no member has that name; the members are %s", ErrNotFound, namesOf(roster.Members))
	case i < 0:
		return 0, configured, cmp.Or(s.safe(roster.Members, "", alive, add), s.member.waitsAt(configured))
	case roster.Members[i].Self:
		return 0, "", fmt.Errorf("%w: it is this observer's own; ask another one", ErrRefused)
	case add && !roster.Members[i].Started:
		return 0, "", fmt.Errorf("%w: it was replaced already and has not begun: start it with an empty directory", ErrRefused)
	case alive[name]:
		return 0, "", fmt.Errorf("%w: it is alive; stop that observer first, and wait until its lease of %s has run out", ErrRefused, s.member.o.LeaseTTL)
	}
	m := roster.Members[i]
	return m.id, m.PeerURL, s.safe(roster.Members, name, alive, add)
}

// waitsAt refuses to add one that does not wait with an empty directory at that peer
// URL: it would count for the majority at once, and could not take part.
func (m *member) waitsAt(peer string) error {
	c := m.childConfig()
	hc, err := c.peerClient()
	if err != nil {
		return err
	}
	switch a, err := c.ask(hc, peer); {
	case refusal(err) != "":
		return fmt.Errorf("%w: what is at its peer URL %s %s: look at peer_tls of both", ErrRefused, peer, refusal(err))
	case err != nil:
		return fmt.Errorf("%w: it does not answer at its peer URL %s: start it with an empty directory first", ErrRefused, peer)
	case !a.empty:
		return fmt.Errorf("%w: what answers at its peer URL %s is a member of another cluster: start it with an empty directory first", ErrRefused, peer)
	}
	return nil
}

// safe refuses what would leave the store without a majority of live members, or
// what etcd refuses: adding one while another is out of reach.
func (s *Store) safe(members []Member, name string, alive map[string]bool, add bool) error {
	var stay, live int
	var dead []string
	for _, m := range members {
		switch {
		case m.Name == name:
		case m.Started && alive[m.Name]:
			stay, live = stay+1, live+1
		default:
			stay++
			dead = append(dead, m.Name)
		}
	}
	size := stay
	if add {
		size++
	}
	switch {
	case live < max(stay, size)/2+1:
		return fmt.Errorf("%w: %d of %d members would be alive, and that is no majority: bring back %s first", ErrRefused, live, size, strings.Join(dead, ", "))
	case add && len(dead) > 0:
		return fmt.Errorf("%w: %s is not alive either: `drwatch member remove %s --reason …` first, and replace it when this one has joined", ErrRefused, strings.Join(dead, ", "), dead[0])
	}
	return nil
}

func namesOf(members []Member) string {
	var out []string
	for _, m := range members {
		out = append(out, m.Name)
	}
	return strings.Join(out, ", ")
}

// swap takes a member out unless id is 0, and adds one at the URL when asked to.
func (m *member) swap(ctx context.Context, id uint64, url string, add bool) error {
	cli, err := m.client()
	if err != nil {
		return err
	}
	if id != 0 {
		err := patiently(ctx, func() error { _, err := cli.MemberRemove(ctx, id); return err })
		if err != nil && !errors.Is(err, rpctypes.ErrMemberNotFound) {
			return fmt.Errorf("taking it out: %w", m.explain(err))
		}
	}
	if !add {
		return nil
	}
	err = patiently(ctx, func() error { _, err := cli.MemberAdd(ctx, []string{url}); return err })
	if err != nil && !errors.Is(err, rpctypes.ErrPeerURLExist) {
		return fmt.Errorf("it was taken out; adding it at %s: %w; ask again for the same", url, m.explain(err))
	}
	return nil
}

// patiently tries again while etcd finds its cluster not settled.
func patiently(ctx context.Context, try func() error) error {
	for {
		err := try()
		unsettled := errors.Is(err, rpctypes.ErrUnhealthy) || errors.Is(err, rpctypes.ErrMemberNotEnoughStarted) ||
			errors.Is(err, rpctypes.ErrNoLeader) || errors.Is(err, rpctypes.ErrLeaderChanged)
		if !unsettled || !pause(ctx, changeEvery) {
			return err
		}
	}
}
