package sdrs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/huawei"
)

const (
	quotasPath     = "/v1/{project_id}/sdrs/quotas"
	drillsPath     = "/v1/{project_id}/disaster-recovery-drills"
	failuresPath   = "/v1/{project_id}/task-center/failure-jobs"
	statisticsPath = "/v1/{project_id}/resource/rpo-statistics"
)

// FactsCost is that of the quotas and of three lists: drills, failed jobs and RPO
// statistics.
func FactsCost() provider.PollCost { return provider.PollCost{Least: 4, Page: pageSize} }

// SlowFacts reads quotas, drills, failed jobs and the RPO statistics, each by a
// call of its own: one that fails does not hide the others. A part whose path
// the region does not have is not told, and no error.
func (r *reader) SlowFacts(ctx context.Context) (provider.SlowFacts, error) {
	problems := huawei.NewProblems(r.client.Settings().Meter)
	var facts provider.SlowFacts
	var errs []error
	for _, part := range []func(context.Context, *huawei.Problems, *provider.SlowFacts) error{r.quotas, r.drills, r.failedJobs, r.breaches} {
		err := part(ctx, problems, &facts)
		refused, answered := errors.AsType[*huawei.Error](err)
		if err == nil || answered && refused.Status == http.StatusNotFound {
			continue
		}
		errs = append(errs, err)
		if ctx.Err() != nil || answered && refused.Status == http.StatusTooManyRequests {
			break // about all of them: the next call would fare no better
		}
	}
	return facts, errors.Join(errs...)
}

// quotas reads the limits of the project. One whose limit or use cannot be read
// is left out: without them it would pass for unlimited or unused.
func (r *reader) quotas(ctx context.Context, problems *huawei.Problems, facts *provider.SlowFacts) error {
	answer, err := r.client.Get(ctx, "ShowQuota", quotasPath, huawei.Query{}, problems)
	if err != nil {
		return err
	}
	quotas, _ := answer.Child("quotas")
	items, _, err := quotas.ItemsBy("resources", "")
	if err != nil {
		return fmt.Errorf("ShowQuota: %w", err)
	}
	facts.Quotas = make([]provider.Quota, 0, len(items))
	for _, item := range items {
		resource := item.Text("type")
		used, toldUsed := item.Number("used")
		limit, toldLimit := item.Number("quota")
		switch {
		case resource == "":
			item.Note("type")
		case toldUsed && used < 0:
			item.Note("used")
		case toldLimit && limit < 0 && limit != unlimited:
			item.Note("quota")
		case toldUsed && toldLimit:
			facts.Quotas = append(facts.Quotas, quota(resource, used, limit))
		}
	}
	return nil
}

// unlimited is the service's word for a quota without a limit.
const unlimited = -1

func quota(resource string, used, limit float64) provider.Quota {
	q := provider.Quota{Resource: resource, Used: used}
	if limit != unlimited {
		q.Limit = &limit
	}
	return q
}

// drills counts the drills by group and status.
func (r *reader) drills(ctx context.Context, problems *huawei.Problems, facts *provider.SlowFacts) error {
	drills, _, err := r.pages(ctx, problems, list{operation: "ListDisasterRecoveryDrills", path: drillsPath, field: "disaster_recovery_drills"}, huawei.Query{})
	if err != nil {
		return err
	}
	counts := tally{}
	for _, item := range drills.Items {
		group, readable := item.Word("server_group_id")
		if readable && group == "" {
			item.Note("server_group_id")
		}
		if group != "" {
			counts.add(group, item.Text("status"))
		}
	}
	facts.Drills = counts.list()
	return nil
}

// failedJobs counts the failed jobs of groups, by group and what failed. Without
// a group in the question the service lists no others.
func (r *reader) failedJobs(ctx context.Context, problems *huawei.Problems, facts *provider.SlowFacts) error {
	jobs, _, err := r.pages(ctx, problems, list{operation: "ListFailureJobs", path: failuresPath, field: "failure_jobs", id: "job_id"}, huawei.Query{})
	if err != nil {
		return err
	}
	counts := tally{}
	for _, item := range jobs.Items {
		group := ""
		if ofGroup(item.Text("resource_type")) {
			group = item.Text("resource_id")
		}
		counts.add(group, item.Text("failure_status"))
	}
	facts.FailedJobs = counts.list()
	return nil
}

// ofGroup tells whether a resource type is that of a protection group, however
// it is spelt: the documented values are server_groups and its like, the
// documented sample has protectedInstance. One that is not told is a group's.
func ofGroup(resourceType string) bool {
	letters := strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(resourceType))
	switch strings.TrimSuffix(letters, "s") {
	case "", "servergroup", "protectiongroup", "protectedgroup", "group":
		return true
	}
	return false
}

const (
	// pointLayout is the time that the statistics are asked with.
	pointLayout = "2006-01-02 15:04:05.000"
	// recent is how far back the statistics are asked for.
	recent = 24 * time.Hour
	// outdated: a point before that is not of now, whatever zone it is in.
	outdated = 2 * recent
)

// breaches reads how many pairs the statistics count as over their RPO at the
// newest point. Without a point nothing is told: whether the service writes one
// when nothing is over is not documented.
func (r *reader) breaches(ctx context.Context, problems *huawei.Problems, facts *provider.SlowFacts) error {
	s := r.client.Settings()
	now := s.Now()
	points, _, err := r.pages(ctx, problems, list{operation: "ListRpoStatistics", path: statisticsPath, field: "resource_rpo_statistics"},
		huawei.Query{ResourceType: "replication", StartTime: now.Add(-recent).In(s.TimeZone).Format(pointLayout)})
	if err != nil {
		return err
	}
	newest := now.Add(-outdated)
	for _, item := range points.Items {
		if kind := item.Text("resource_type"); kind != "" && !strings.EqualFold(kind, "replication") {
			continue
		}
		at, ok := provider.ParseTime(item.Text("point_time"), s.TimeZone)
		if !ok {
			item.Note("point_time")
			continue
		}
		if at.After(newest) {
			newest, facts.Breaches = at, item.Count("resource_num")
		}
	}
	return nil
}

// tally counts by group and kind.
type tally map[provider.GroupCount]int

// add counts one. A kind that is not told is "unknown".
func (t tally) add(group, kind string) {
	t[provider.GroupCount{GroupID: group, Kind: cmp.Or(kind, "unknown")}]++
}

// list is the counts in a fixed order, not nil.
func (t tally) list() []provider.GroupCount {
	counts := make([]provider.GroupCount, 0, len(t))
	for c := range maps.Keys(t) {
		counts = append(counts, provider.GroupCount{GroupID: c.GroupID, Kind: c.Kind, Count: t[c]})
	}
	slices.SortFunc(counts, func(a, b provider.GroupCount) int {
		return cmp.Or(strings.Compare(a.GroupID, b.GroupID), strings.Compare(a.Kind, b.Kind))
	})
	return counts
}
