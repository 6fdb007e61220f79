package sdrs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/provider/huawei"
	"github.com/drwatch/drwatch/internal/replication"
)

const jobsPath = "/v1/{project_id}/jobs"

// Track reads the job first and the group after it, so that the group is never
// older than what its job says. While the job runs the group is not read: a
// hundred failovers at once then cost one call a look each, not four.
func (r *reader) Track(ctx context.Context, id, jobID string) (provider.Progress, error) {
	var p provider.Progress
	if jobID != "" {
		var err error
		if p.Job, p.Detail, err = r.job(ctx, jobID); err != nil {
			// The group itself still tells what became of the call.
			p.Job, p.Detail = provider.JobNone, fmt.Sprintf("job %s could not be read: %v", jobID, err)
		}
	}
	if p.Job == provider.JobRunning {
		return p, nil
	}
	group, err := r.Read(ctx, id)
	if err != nil {
		return provider.Progress{}, err
	}
	p.Group = group
	p.Detail = detail(p.Detail, group)
	return p, nil
}

func (r *reader) job(ctx context.Context, jobID string) (provider.JobState, string, error) {
	if err := provider.ValidID(jobID); err != nil {
		return provider.JobNone, "", fmt.Errorf("job: %w", err)
	}
	problems := huawei.NewProblems(r.client.Settings().Meter)
	answer, err := r.client.Get(ctx, "ShowJobStatus", jobsPath+"/"+jobID, huawei.Query{}, problems)
	var refused *huawei.Error
	if errors.As(err, &refused) && (refused.Status == http.StatusNotFound || refused.Status == http.StatusBadRequest) {
		return provider.JobNone, fmt.Sprintf("job %s is not known: %v", jobID, refused), nil
	}
	if err != nil {
		return provider.JobNone, "", err
	}
	if !answer.Told("status") {
		return provider.JobNone, "", fmt.Errorf("job %s: the answer has no status", jobID)
	}
	state, detail := jobOf(answer.Object)
	return state, detail, nil
}

// jobOf reads a job. A status that nobody documented says nothing of the job.
func jobOf(o huawei.Object) (provider.JobState, string) {
	status := o.Text("status")
	line := "job " + status
	switch status {
	case "INIT", "RUNNING":
		return provider.JobRunning, line
	case "SUCCESS":
		return provider.JobDone, line
	case "FAIL":
		return provider.JobFailed, provider.RedactText(line + failure(o) + subFailures(o))
	}
	return provider.JobNone, provider.RedactText(fmt.Sprintf("job status %q is not documented", status))
}

// failure is why a job failed, in the vendor's words.
func failure(o huawei.Object) string {
	var parts []string
	for _, field := range []string{"error_code", "fail_reason"} {
		if text := o.Text(field); text != "" {
			parts = append(parts, text)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, " ")
}

// subFailures names the failed parts of a job, which tell the resource.
func subFailures(o huawei.Object) string {
	entities, ok := o.Child("entities")
	if !ok || !entities.Told("sub_jobs") {
		return ""
	}
	subs, _, err := entities.Items("sub_jobs")
	if err != nil {
		entities.Note("sub_jobs")
		return ""
	}
	var text strings.Builder
	for _, sub := range subs {
		if sub.Text("status") == "FAIL" {
			text.WriteString("; " + sub.Text("job_type") + resource(sub.Object) + failure(sub.Object))
		}
	}
	return text.String()
}

// resource is what a part of a job was about.
func resource(o huawei.Object) string {
	of, _ := o.Child("entities")
	for _, field := range []string{"replication_pair_id", "protected_instance_id"} {
		if id := of.Text(field); id != "" {
			return " " + id
		}
	}
	return ""
}

// detail adds what the group shows to what the job says.
func detail(job string, g replication.Group) string {
	text := "group " + g.RawStatus
	if job != "" {
		text = job + "; " + text
	}
	if g.Progress != nil {
		text += fmt.Sprintf(", %.0f %%", *g.Progress*100)
	}
	return provider.RedactText(text)
}
