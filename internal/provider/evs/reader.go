package evs

import (
	"context"
	"fmt"
	"strconv"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/huawei"
	"github.com/drwatch/drwatch/internal/replication"
)

const (
	groupsPath = "/v2/{project_id}/os-vendor-replication-consistency-groups"
	pairsPath  = "/v2/{project_id}/os-vendor-replications"
	pageSize   = 1000 // the documented greatest limit
)

type reader struct {
	client *huawei.Client
}

// NewReader builds the Reader of one project. It sends nothing.
func NewReader(s provider.Settings) (provider.Reader, error) {
	client, err := newClient(s)
	if err != nil {
		return nil, err
	}
	return &reader{client: client}, nil
}

func newClient(s provider.Settings) (*huawei.Client, error) {
	if s.PrimaryZone == "" || s.SecondaryZone == "" || s.PrimaryZone == s.SecondaryZone {
		return nil, fmt.Errorf("account %s: zones: want two different zones, primary %q and secondary %q; the service does not name them", s.Account, s.PrimaryZone, s.SecondaryZone)
	}
	return huawei.NewClient(s)
}

// PollCost is that of two lists: groups and pairs.
func PollCost() provider.PollCost { return provider.PollCost{Least: 2, Page: pageSize} }

// List reads all replication consistency groups with their pairs.
func (r *reader) List(ctx context.Context) (provider.Listing, error) {
	problems := huawei.NewProblems(r.client.Settings().Meter)
	groups, answer, err := r.pages(ctx, problems, "ListReplicationConsistencyGroups", groupsPath, "replication_consistency_groups", huawei.Query{})
	if err != nil {
		return provider.Listing{}, err
	}
	m, err := r.members(ctx, problems, "")
	if err != nil {
		return provider.Listing{}, err
	}
	var listing provider.Listing
	for _, item := range groups.Items {
		if item.ID == "" {
			continue // counted already; without an id it can be neither shown nor acted on
		}
		listing.Groups = append(listing.Groups, r.group(item.Object, item.ID, answer, m))
	}
	listing.Bad = problems.Counts()
	return listing, nil
}

// Read reads one group afresh.
func (r *reader) Read(ctx context.Context, id string) (replication.Group, error) {
	if err := provider.ValidID(id); err != nil {
		return replication.Group{}, fmt.Errorf("replication consistency group: %w", err)
	}
	g, err := r.read(ctx, id)
	if err != nil {
		return replication.Group{}, fmt.Errorf("replication consistency group %s: %w", id, err)
	}
	return g, nil
}

func (r *reader) read(ctx context.Context, id string) (replication.Group, error) {
	problems := huawei.NewProblems(r.client.Settings().Meter)
	answer, err := r.client.Get(ctx, "ShowReplicationConsistencyGroup", groupsPath+"/"+id, huawei.Query{}, problems)
	if err != nil {
		return replication.Group{}, err
	}
	o, err := answer.One("replication_consistency_group", id)
	if err != nil {
		return replication.Group{}, err
	}
	m, err := r.members(ctx, problems, id)
	if err != nil {
		return replication.Group{}, err
	}
	return r.group(o, id, answer, m), nil
}

// Track reads the group: the service has no jobs, its status is all there is.
func (r *reader) Track(ctx context.Context, id, _ string) (provider.Progress, error) {
	g, err := r.Read(ctx, id)
	if err != nil {
		return provider.Progress{}, err
	}
	return provider.Progress{Group: g, Detail: provider.RedactText("group " + g.RawStatus)}, nil
}

// pages reads a whole list: until a page is shorter than asked for. The answer
// is that of the first page.
func (r *reader) pages(ctx context.Context, problems *huawei.Problems, operation, path, field string, q huawei.Query) (huawei.Listed, huawei.Answer, error) {
	var list huawei.Listed
	var first huawei.Answer
	q.Limit = strconv.Itoa(pageSize)
	for page := range huawei.MaxPages {
		answer, err := r.client.Get(ctx, operation, path, q, problems)
		if err != nil {
			return list, first, err
		}
		if page == 0 {
			first = answer
		}
		items, err := answer.Page(field)
		if err == nil {
			err = list.Add(items)
		}
		if err != nil {
			return list, first, fmt.Errorf("%s: %w", operation, err)
		}
		if items.Total < pageSize {
			return list, first, nil
		}
		if q.Marker = list.LastID(); q.Marker == "" {
			return list, first, fmt.Errorf("%s: the last item of a page has no id to go on from", operation)
		}
	}
	return list, first, fmt.Errorf("%s: more than %d pages", operation, huawei.MaxPages)
}

// members are the pairs that were listed.
type members struct {
	byGroup map[string][]huawei.Pair
	single  map[string]huawei.Pair // by id: pairs that name no group
	lost    int                    // pairs of which not even the group could be read
}

// members lists the pairs of one group, or all when group is "".
func (r *reader) members(ctx context.Context, problems *huawei.Problems, group string) (members, error) {
	m := members{byGroup: map[string][]huawei.Pair{}, single: map[string]huawei.Pair{}}
	pairs, _, err := r.pages(ctx, problems, "ListReplications", pairsPath, "replications", huawei.Query{ConsistencyGroup: group})
	if err != nil {
		return m, err
	}
	m.lost = pairs.Lost
	for _, item := range pairs.Items {
		pair, ok := huawei.ReadPair(item, "replication_consistency_group_id")
		switch {
		case !ok:
			m.lost++
		case pair.Group == "":
			m.single[pair.ID] = pair
		default:
			m.byGroup[pair.Group] = append(m.byGroup[pair.Group], pair)
		}
	}
	return m, nil
}
