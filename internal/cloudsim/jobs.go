package cloudsim

import "time"

// job is what SDRS gives as the handle of an action.
type job struct {
	id       string
	kind     string
	group    *group
	pair     *pair // of a sub-job
	began    time.Time
	ended    time.Time
	takes    time.Duration
	failed   bool
	failCode string
	failure  string // failure_status of the task centre
	subs     []*job
}

// newJob makes the job of an operation with one part for each pair.
func (c *Cloud) newJob(g *group, op *operation, failure string) *job {
	j := &job{
		id: c.hex32(c.requests), kind: op.transition.job, group: g, began: op.began, takes: op.takes,
		failCode: op.failCode, failure: failure,
	}
	for _, p := range g.pairs {
		j.subs = append(j.subs, &job{
			id: c.hex32(c.requests), kind: op.subJob, group: g, pair: p,
			began: op.began, takes: op.takes, failCode: op.failCode,
		})
	}
	c.jobs[j.id] = j
	op.job = j
	return j
}

// endJob ends the operation's job, if it has one. Of a failed job the last part
// is the one that failed.
func (c *Cloud) endJob(op *operation, now time.Time) {
	j := op.job
	if j == nil {
		return
	}
	j.ended = now
	j.failed = op.fate == Fails
	for i, s := range j.subs {
		s.ended = now
		s.failed = j.failed && i == len(j.subs)-1
	}
	if j.failed {
		c.failures = append(c.failures, j)
	}
}

// status is INIT for the first tenth of the job, then RUNNING until its end.
func (j *job) status(now time.Time) string {
	switch {
	case j.failed:
		return "FAIL"
	case !j.ended.IsZero():
		return "SUCCESS"
	case now.Sub(j.began) < j.takes/10:
		return "INIT"
	}
	return "RUNNING"
}

type jobView struct {
	Status     string      `json:"status"`
	Entities   jobEntities `json:"entities"`
	JobID      string      `json:"job_id"`
	JobType    string      `json:"job_type"`
	BeginTime  string      `json:"begin_time"`
	EndTime    string      `json:"end_time"`
	ErrorCode  *string     `json:"error_code"`
	FailReason *string     `json:"fail_reason"`
}

type jobEntities struct {
	ServerGroupID     string    `json:"server_group_id,omitempty"`
	ReplicationPairID string    `json:"replication_pair_id,omitempty"`
	VolumeIDs         string    `json:"volume_ids,omitempty"`
	SubJobs           []jobView `json:"sub_jobs,omitempty"`
}

func (j *job) view(now time.Time) jobView {
	v := jobView{
		Status: j.status(now), JobID: j.id, JobType: j.kind, BeginTime: jobTime(j.began), EndTime: jobTime(j.ended),
		Entities: jobEntities{ServerGroupID: j.group.id},
	}
	if j.pair != nil {
		v.Entities.ReplicationPairID = j.pair.id
		v.Entities.VolumeIDs = j.pair.disks[0] + "," + j.pair.disks[1]
	}
	if j.failed {
		code, reason := j.failCode, j.reason()
		v.ErrorCode, v.FailReason = &code, &reason
	}
	for _, s := range j.subs {
		v.Entities.SubJobs = append(v.Entities.SubJobs, s.view(now))
	}
	return v
}

func (j *job) reason() string {
	if j.pair != nil {
		return "The storage did not switch replication pair " + j.pair.id + "."
	}
	return "The operation on protection group " + j.group.id + " ended with an error."
}

// jobTime is RFC 3339 with milliseconds, in UTC; "" for a time that is not yet.
func jobTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
