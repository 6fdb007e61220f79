package sdrs

import (
	"context"
	"fmt"
	"strconv"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/huawei"
	"github.com/drwatch/drwatch/internal/replication"
)

const (
	groupsPath    = "/v1/{project_id}/server-groups"
	pairsPath     = "/v1/{project_id}/replications"
	instancesPath = "/v1/{project_id}/protected-instances"

	// The vendor contradicts itself on the greatest limit; 500 is within every
	// statement.
	pageSize = 500
)

// list is one of the service's paged lists.
type list struct {
	operation, path, field string
	id                     string // the field of an item's id; "" is "id"
	// each takes the items as the pages come, so that no page is held longer than
	// it is read. It runs beside the requests, one item after the other. Nil: they
	// are collected.
	each func(huawei.Item)
}

type reader struct {
	client *huawei.Client
}

var _ provider.FactReader = (*reader)(nil)

// NewReader builds the Reader of one project. It sends nothing.
func NewReader(s provider.Settings) (provider.Reader, error) {
	client, err := huawei.NewClient(s)
	if err != nil {
		return nil, err
	}
	return &reader{client: client}, nil
}

// PollCost is that of three lists: groups, pairs, protected instances.
func PollCost() provider.PollCost { return provider.PollCost{Least: 3, Page: pageSize} }

// List reads all protection groups with their pairs and protected instances.
func (r *reader) List(ctx context.Context) (provider.Listing, error) {
	problems := huawei.NewProblems(r.client.Settings().Meter)
	groups, answer, err := r.pages(ctx, problems, list{operation: "ListProtectionGroups", path: groupsPath, field: "server_groups"}, huawei.Query{})
	if err != nil {
		return provider.Listing{}, err
	}
	members, err := r.members(ctx, problems, "")
	if err != nil {
		return provider.Listing{}, err
	}
	var listing provider.Listing
	for _, item := range groups.Items {
		if item.ID == "" {
			continue // counted already; without an id it can be neither shown nor acted on
		}
		listing.Groups = append(listing.Groups, r.group(item.Object, item.ID, answer, members))
	}
	listing.Bad = problems.Counts()
	return listing, nil
}

// Read reads one group afresh.
func (r *reader) Read(ctx context.Context, id string) (replication.Group, error) {
	if err := provider.ValidID(id); err != nil {
		return replication.Group{}, fmt.Errorf("protection group: %w", err)
	}
	problems := huawei.NewProblems(r.client.Settings().Meter)
	answer, err := r.client.Get(ctx, "ShowProtectionGroup", groupsPath+"/"+id, huawei.Query{}, problems)
	if err != nil {
		return replication.Group{}, fmt.Errorf("protection group %s: %w", id, err)
	}
	o, err := answer.One("server_group", id)
	if err != nil {
		return replication.Group{}, fmt.Errorf("protection group %s: %w", id, err)
	}
	members, err := r.members(ctx, problems, id)
	if err != nil {
		return replication.Group{}, fmt.Errorf("protection group %s: %w", id, err)
	}
	return r.group(o, id, answer, members), nil
}

// pages reads a whole list, each page while the next one is on its way. The
// answer is that of the first page.
func (r *reader) pages(ctx context.Context, problems *huawei.Problems, l list, q huawei.Query) (huawei.Listed, huawei.Answer, error) {
	all := huawei.Listed{IDField: l.id}
	var behind provider.Behind
	first, err := r.follow(ctx, problems, l, q, &all, &behind)
	if unread := behind.Wait(); err == nil {
		err = unread
	}
	return all, first, err
}

// follow asks for pages until one is shorter than asked for. What `count` counts
// is not documented: one above the page size cannot be that of the page, and is
// believed when as many items are here. The last page is still being read when
// it returns.
func (r *reader) follow(ctx context.Context, problems *huawei.Problems, l list, q huawei.Query, all *huawei.Listed, behind *provider.Behind) (first huawei.Answer, err error) {
	q.Limit = strconv.Itoa(pageSize)
	for n, offset := 0, 0; n < huawei.MaxPages; n++ {
		q.Offset = strconv.Itoa(offset)
		answer, err := r.client.Get(ctx, l.operation, l.path, q, problems)
		if unread := behind.Wait(); unread != nil {
			return first, unread
		}
		if err != nil {
			return first, err
		}
		if n == 0 {
			first = answer
		}
		page, err := answer.Page(l.field)
		if err != nil {
			return first, fmt.Errorf("%s: %w", l.operation, err)
		}
		repeats := all.MayRepeat(page)
		behind.Do(func() error { return l.add(all, page) })
		if page.Total < pageSize {
			return first, nil
		}
		if repeats { // nothing more is asked of a provider that goes round in circles
			if err := behind.Wait(); err != nil {
				return first, err
			}
		}
		offset += page.Total
		if count, told := answer.Number("count"); told && count > pageSize && int(count) == offset {
			return first, nil
		}
	}
	return first, fmt.Errorf("%s: more than %d pages", l.operation, huawei.MaxPages)
}

// add takes a page's items.
func (l list) add(all *huawei.Listed, page huawei.Page) error {
	if err := all.Add(page); err != nil {
		return fmt.Errorf("%s: %w", l.operation, err)
	}
	if l.each != nil {
		for _, item := range all.Items {
			l.each(item)
		}
		all.Items = nil
	}
	return nil
}

// members are the pairs and instances that were listed, by group.
type members struct {
	pairs         map[string][]huawei.Pair
	lostPairs     int // pairs of which not even the group could be read
	gone          map[string]int
	instances     map[string]int
	lostInstances int
}

// members lists the pairs and instances of one group, or of all when group is
// "".
func (r *reader) members(ctx context.Context, problems *huawei.Problems, group string) (members, error) {
	m := members{pairs: map[string][]huawei.Pair{}, gone: map[string]int{}, instances: map[string]int{}}
	q := huawei.Query{ServerGroup: group}
	pairs, _, err := r.pages(ctx, problems, list{operation: "ListReplications", path: pairsPath, field: "replications", each: m.addPair}, q)
	if err != nil {
		return m, err
	}
	m.lostPairs += pairs.Lost
	instances, _, err := r.pages(ctx, problems, list{operation: "ListProtectedInstances", path: instancesPath, field: "protected_instances", each: m.addInstance}, q)
	if err != nil {
		return m, err
	}
	m.lostInstances += instances.Lost
	return m, nil
}

func (m *members) addPair(item huawei.Item) {
	pair, ok := huawei.ReadPair(item, "server_group_id")
	if !ok {
		m.lostPairs++
		return
	}
	m.pairs[pair.Group] = append(m.pairs[pair.Group], pair)
}

func (m *members) addInstance(item huawei.Item) {
	status, readable := item.Word("status")
	group, ok := item.Word("server_group_id")
	if !readable || !ok {
		m.lostInstances++
		return
	}
	m.instances[group]++
	if status == "invalid" {
		m.gone[group]++
	}
}
