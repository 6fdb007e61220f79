package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
	"github.com/drwatch/drwatch/internal/strictyaml"
)

// oneGroup reads a single group without a daemon, from whichever end of its
// account answers. It is not safe for concurrent use.
type oneGroup struct {
	account *account
	id      string
	other   bool // the account's own endpoint did not answer last
}

// Read reads the group now.
func (g *oneGroup) Read(ctx context.Context) (replication.Group, error) {
	group, err := eitherEnd(ctx, g.account.acts, &g.other, g.account.config.PollTimeout, func(ctx context.Context, r provider.Reader) (replication.Group, error) {
		return r.Read(ctx, g.id)
	})
	group.Account = g.account.config.Name
	return group, err
}

// Track looks at a failover under way.
func (g *oneGroup) Track(ctx context.Context, jobID string) (failover.Progress, error) {
	p, err := eitherEnd(ctx, g.account.acts, &g.other, g.account.config.PollTimeout, func(ctx context.Context, r provider.Reader) (provider.Progress, error) {
		return r.Track(ctx, g.id, jobID)
	})
	p.Group.Account = g.account.config.Name
	return failover.Progress{Group: p.Group, JobFailed: p.Job == provider.JobFailed, JobDone: p.Job == provider.JobDone, Detail: p.Detail}, err
}

// eitherEnd asks one end, and the other when it does not answer. The one that
// answered is asked first the next time. That the provider does not know
// something is an answer.
func eitherEnd[T any](ctx context.Context, r readers, other *bool, timeout time.Duration, question func(context.Context, provider.Reader) (T, error)) (T, error) {
	ends := []provider.Reader{r.own}
	if r.other != nil {
		ends = append(ends, r.other)
		if *other {
			slices.Reverse(ends)
		}
	}
	var all error
	var none T
	for n, end := range ends {
		asking, cancel := context.WithTimeout(ctx, timeout)
		got, err := question(asking, end)
		cancel()
		if err == nil {
			*other = *other != (n == 1)
			return got, nil
		}
		all = errors.Join(all, err)
		if errors.Is(err, provider.ErrNotFound) {
			break
		}
	}
	return none, all
}

// candidate is a group that an account lists, or why the account lists none.
type candidate struct {
	account *account
	other   bool
	group   replication.Group
	err     error
}

// find is the one group of that name or id. Of accounts that cannot be listed it
// is a note: a lost site must not keep the groups of the others from being found.
func (c *clouds) find(ctx context.Context, in, name string) (*oneGroup, []string, error) {
	asked := c.order
	if in != "" {
		a, ok := c.byName[in]
		if !ok {
			var names []string
			for _, a := range c.order {
				names = append(names, a.config.Name)
			}
			return nil, nil, fmt.Errorf("account %q is not configured%s; accounts: %s", in, strictyaml.Suggest(in, names), strings.Join(names, ", "))
		}
		asked = []*account{a}
	}
	all := listed(ctx, asked)
	if in != "" && len(all) > 0 && all[0].err != nil { // a listing that fails is in nobody's way who names both
		if g := asked[0].byID(ctx, name); g != nil {
			return g, nil, nil
		}
	}
	return pick(all, name)
}

// byID is the group when the name is its id, nil when it is not.
func (a *account) byID(ctx context.Context, id string) *oneGroup {
	g := &oneGroup{account: a, id: id}
	if provider.ValidID(id) != nil {
		return nil
	}
	group, err := g.Read(ctx)
	if err != nil || group.Key.ID != id || !a.config.Groups.Match(group.Name) {
		return nil
	}
	return g
}

// listed are the groups of all these accounts, asked at the same time.
func listed(ctx context.Context, accounts []*account) []candidate {
	parts := make([][]candidate, len(accounts))
	var wg sync.WaitGroup
	for n, a := range accounts {
		wg.Go(func() { parts[n] = a.list(ctx) })
	}
	wg.Wait()
	return slices.Concat(parts...)
}

func (a *account) list(ctx context.Context) []candidate {
	other := false
	l, err := eitherEnd(ctx, a.polls, &other, a.config.PollTimeout, func(ctx context.Context, r provider.Reader) (provider.Listing, error) { return r.List(ctx) })
	if err != nil {
		return []candidate{{account: a, err: err}}
	}
	var out []candidate
	for _, g := range l.Groups {
		if a.config.Groups.Match(g.Name) {
			out = append(out, candidate{account: a, other: other, group: g})
		}
	}
	return out
}

func pick(all []candidate, name string) (*oneGroup, []string, error) {
	var found []candidate
	var names, notes, where []string
	for _, c := range all {
		switch {
		case c.err != nil:
			notes = append(notes, fmt.Sprintf("The groups of account %s could not be listed, so it is not known whether it has one of this name too: %s.", c.account.config.Name, c.err))
		case c.group.Name == name || c.group.Key.ID == name:
			found = append(found, c)
			where = append(where, fmt.Sprintf("--account %s %s", c.account.config.Name, c.group.Key.ID))
		default:
			names = append(names, c.group.Name)
		}
	}
	switch len(found) {
	case 1:
		return &oneGroup{account: found[0].account, id: found[0].group.Key.ID, other: found[0].other}, notes, nil
	case 0:
		slices.Sort(names)
		return nil, nil, fmt.Errorf("there is no group %q%s%s", name, strictyaml.Suggest(name, slices.Compact(names)), strings.Join(append([]string{""}, notes...), "\n"))
	}
	return nil, nil, fmt.Errorf("%d groups are called %q; name one of them by account and id: %s", len(found), name, strings.Join(where, ", "))
}
