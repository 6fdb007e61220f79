package ebs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

const (
	describeGroups = "DescribeDiskReplicaGroups"
	describePairs  = "DescribeDiskReplicaPairs"
	pageSize       = "500" // the most that MaxResults allows
	maxPages       = 200   // 100,000 items: more is a loop, not an account
)

// Reader reads the groups of one account as one of their two regions sees them.
// It changes nothing. Safe for concurrent use.
type Reader struct {
	c    *client
	site string // the view asked for
}

// NewReader builds a Reader of s.Region. In the production's region it asks for
// the production view, in any other for the backup view.
func NewReader(s provider.Settings) (provider.Reader, error) {
	c, err := newClient(s)
	if err != nil {
		return nil, err
	}
	r := &Reader{c: c, site: "production"}
	if s.PrimaryRegion != "" && s.Region != s.PrimaryRegion {
		r.site = "backup"
	}
	return r, nil
}

// PollCost is that of two lists: groups, and their pairs when there are groups.
func PollCost() provider.PollCost { return provider.PollCost{Least: 2, Page: 500} }

// List reads all groups and their pairs: two paged lists, no call per group.
func (r *Reader) List(ctx context.Context) (provider.Listing, error) {
	return r.read(ctx, nil, nil)
}

// Read reads one group and its pairs.
func (r *Reader) Read(ctx context.Context, id string) (replication.Group, error) {
	if err := provider.ValidID(id); err != nil {
		return replication.Group{}, err
	}
	l, err := r.read(ctx, map[string]string{"GroupIds": id}, map[string]string{"ReplicaGroupId": id})
	if err != nil {
		return replication.Group{}, err
	}
	for _, g := range l.Groups {
		if g.Key.ID == id {
			return g, nil
		}
	}
	return replication.Group{}, fmt.Errorf("group %s in %s (%s view): %w", id, r.c.s.Region, r.site, provider.ErrNotFound)
}

// Track reads the group again: the API has no jobs, so jobID is not used.
func (r *Reader) Track(ctx context.Context, id, _ string) (provider.Progress, error) {
	g, err := r.Read(ctx, id)
	if err != nil {
		return provider.Progress{}, err
	}
	return provider.Progress{Group: g, Job: provider.JobNone, Detail: detail(g)}, nil
}

// detail is one line on a group for a person.
func detail(g replication.Group) string {
	text := "status " + orNotTold(g.RawStatus)
	var pairs []string
	for _, status := range slices.Sorted(maps.Keys(g.Pairs)) {
		pairs = append(pairs, fmt.Sprintf("%d %s", g.Pairs[status], status))
	}
	if len(pairs) > 0 {
		text += ", pairs: " + strings.Join(pairs, ", ")
	}
	if g.Fault != "" {
		text += ", " + g.Fault
	}
	return text
}

// read reads the groups and pairs that the filters select.
func (r *Reader) read(ctx context.Context, groupFilter, pairFilter map[string]string) (provider.Listing, error) {
	b := newBuilder(r)
	if err := r.pages(ctx, describeGroups, "ReplicaGroups", r.view(groupFilter), b.addGroup); err != nil {
		return provider.Listing{}, err
	}
	if len(b.groups) > 0 {
		if err := r.pages(ctx, describePairs, "ReplicaPairs", r.view(pairFilter), b.addPair); err != nil {
			return provider.Listing{}, err
		}
	}
	return b.listing(), nil
}

// view is the filter, as this Reader's site sees it.
func (r *Reader) view(filter map[string]string) map[string]string {
	params := map[string]string{"Site": r.site}
	maps.Copy(params, filter)
	return params
}

// callError is why a list could not be read, with the provider's code.
type callError struct {
	error
	code string
}

// Unwrap gives the error itself.
func (e callError) Unwrap() error { return e.error }

// moment is when an answer came: by the clock here, and by the provider's, zero
// when it told none.
type moment struct{ here, there time.Time }

// pages calls op until there is no further page, and each for every item, one
// after the other: those of a page while the next one is on its way. The list is
// complete when it returns nil; when it returns, each is called no more.
func (r *Reader) pages(ctx context.Context, op, field string, filter map[string]string, each func(json.RawMessage, moment)) error {
	var behind provider.Behind
	err := r.follow(ctx, op, field, filter, each, &behind)
	_ = behind.Wait() // reading has no errors
	return err
}

// follow is pages, but that the last page is still being read when it returns.
func (r *Reader) follow(ctx context.Context, op, field string, filter map[string]string, each func(json.RawMessage, moment), behind *provider.Behind) error {
	params := map[string]string{"MaxResults": pageSize}
	maps.Copy(params, filter)
	tokens := map[string]bool{}
	for range maxPages {
		reply := r.c.call(ctx, provider.Op{Name: op}, params)
		_ = behind.Wait()
		if reply.err != nil {
			if reply.Status == 404 && reply.answer.code == notFound {
				return fmt.Errorf("%w: %w", provider.ErrNotFound, reply.err)
			}
			return callError{reply.err, reply.answer.code}
		}
		items, ok := reply.answer.list(field)
		if !ok {
			return fmt.Errorf("%s in %s: the answer has no list %s", op, r.c.s.Region, field)
		}
		at := moment{here: reply.Began, there: reply.Date}
		behind.Do(func() error {
			for _, raw := range items {
				each(raw, at)
			}
			return nil
		})
		next, ok := text(reply.answer.fields.Get("NextToken"))
		switch {
		case !ok:
			return fmt.Errorf("%s in %s: NextToken is no text, so the list may go on", op, r.c.s.Region)
		case next == "":
			return nil
		case tokens[next]:
			return fmt.Errorf("%s in %s: the same NextToken came twice", op, r.c.s.Region)
		}
		tokens[next] = true
		params["NextToken"] = next
	}
	return fmt.Errorf("%s in %s: more than %d pages", op, r.c.s.Region, maxPages)
}
