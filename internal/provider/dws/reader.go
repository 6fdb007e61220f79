package dws

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/huawei"
	"github.com/drwatch/drwatch/internal/replication"
)

const (
	listPath     = "/v2/{project_id}/disaster-recoveries"
	onePath      = "/v2/{project_id}/disaster-recovery/"
	progressPath = "/v1/{project_id}/disaster-recovery/" // version 1, unlike the rest
)

type reader struct {
	client *huawei.Client
}

// NewReader builds the Reader of one project. It sends nothing.
func NewReader(s provider.Settings) (provider.Reader, error) {
	client, err := huawei.NewClient(s)
	if err != nil {
		return nil, err
	}
	return &reader{client: client}, nil
}

// PollCost is that of one list without pages, and of the detail and progress of
// each group in it that is watched.
func PollCost() provider.PollCost { return provider.PollCost{Least: 1, PerGroup: 2} }

// List reads all disaster recoveries that are watched, each with its detail and
// progress. A
// detail that the provider refuses leaves its group without locations, and so
// not ready; it does not hide the others.
func (r *reader) List(ctx context.Context) (provider.Listing, error) {
	problems := huawei.NewProblems(r.client.Settings().Meter)
	items, answer, err := r.list(ctx, "", problems)
	if err != nil {
		return provider.Listing{}, err
	}
	var listing provider.Listing
	for _, item := range items {
		if item.ID == "" || item.Text("status") == "deleted" || !r.client.Settings().Wants(item.Text("name")) {
			continue
		}
		seen, err := r.look(ctx, item, answer, problems)
		switch {
		case errors.Is(err, provider.ErrNotFound):
			continue // deleted since it was listed
		case answered(err):
			problems.Note(provider.Unread{Call: "ShowDisasterDetail", Field: "detail", Item: item.ID})
		case err != nil:
			return provider.Listing{}, fmt.Errorf("disaster recovery %s: %w", item.ID, err)
		}
		g, _ := r.group(seen)
		listing.Groups = append(listing.Groups, g)
	}
	listing.Bad = problems.Counts()
	return listing, nil
}

// answered tells whether an error is the provider's answer about one item: the
// next item may fare better. Being throttled is about all of them.
func answered(err error) bool {
	if refused, ok := errors.AsType[*huawei.Error](err); ok {
		return refused.Status != http.StatusTooManyRequests
	}
	return errors.Is(err, huawei.ErrUnreadable)
}

// Read reads one disaster recovery afresh. That list and detail tell different
// directions is an error: a swap is under way, and neither can be believed.
func (r *reader) Read(ctx context.Context, id string) (replication.Group, error) {
	if err := provider.ValidID(id); err != nil {
		return replication.Group{}, fmt.Errorf("disaster recovery: %w", err)
	}
	seen, err := r.read(ctx, id)
	if err != nil {
		return replication.Group{}, fmt.Errorf("disaster recovery %s: %w", id, err)
	}
	g, err := r.group(seen)
	if err != nil {
		return replication.Group{}, fmt.Errorf("disaster recovery %s: %w", id, err)
	}
	return g, nil
}

// read looks into the list too: the time of the last synchronisation stands
// only there.
func (r *reader) read(ctx context.Context, id string) (sight, error) {
	problems := huawei.NewProblems(r.client.Settings().Meter)
	items, answer, err := r.list(ctx, id, problems)
	if err != nil {
		return sight{}, err
	}
	for _, item := range items {
		if item.ID != id {
			continue // a region that does not know the filter lists all
		}
		if item.Text("status") == "deleted" {
			break
		}
		return r.look(ctx, item, answer, problems)
	}
	return sight{}, provider.ErrNotFound
}

// Track reads the disaster recovery: the service has no jobs.
func (r *reader) Track(ctx context.Context, id, _ string) (provider.Progress, error) {
	g, err := r.Read(ctx, id)
	if err != nil {
		return provider.Progress{}, err
	}
	text := "group " + g.RawStatus
	if g.Progress != nil {
		text += fmt.Sprintf(", %.0f %%", *g.Progress*100)
	}
	if g.Fault != "" {
		text += ", " + g.Fault
	}
	return provider.Progress{Group: g, Detail: provider.RedactText(text)}, nil
}

// list lists all, or one when id is not "". The service has no pages.
func (r *reader) list(ctx context.Context, id string, problems *huawei.Problems) ([]huawei.Item, huawei.Answer, error) {
	answer, err := r.client.Get(ctx, "ListDisasterRecover", listPath, huawei.Query{ID: id}, problems)
	if err != nil {
		return nil, answer, err
	}
	var listed huawei.Listed
	page, err := answer.Page("disaster_recovery")
	if err == nil {
		err = listed.Add(page)
	}
	if err != nil {
		return nil, answer, fmt.Errorf("ListDisasterRecover: %w", err)
	}
	return listed.Items, answer, nil
}

// sight is all that was read of one disaster recovery.
type sight struct {
	item     huawei.Item
	answer   huawei.Answer  // of the list
	detail   *huawei.Object // nil when it could not be read
	progress *huawei.Object // nil when there is none
}

// look reads detail and progress of a listed item. With an error the sight
// holds what was read before it.
func (r *reader) look(ctx context.Context, item huawei.Item, answer huawei.Answer, problems *huawei.Problems) (sight, error) {
	seen := sight{item: item, answer: answer}
	detail, err := r.client.Get(ctx, "ShowDisasterDetail", onePath+item.ID, huawei.Query{}, problems)
	if err != nil {
		return seen, err
	}
	o, err := detail.One("disaster_recovery", item.ID)
	if err != nil {
		return seen, err
	}
	seen.detail = &o
	if !hasProgress(item.Text("status")) {
		return seen, nil
	}
	// The progress is a figure for reference, and the first thing to break when
	// production is lost: without it the last synchronisation still tells.
	progress, err := r.client.Get(ctx, "ShowDisasterProgress", progressPath+item.ID+"/show-progress", huawei.Query{}, problems)
	if ctx.Err() != nil {
		return seen, fmt.Errorf("ShowDisasterProgress: %w", context.Cause(ctx))
	}
	if err == nil {
		if p, ok := progress.Of(item.ID).Child("disaster_recovery_progress"); ok {
			seen.progress = &p
		}
	}
	return seen, nil
}

// hasProgress tells whether there is anything under way that has a progress.
func hasProgress(status string) bool {
	switch status {
	case "creating", "create_failed", "unstart", "deleting":
		return false
	}
	return true
}
