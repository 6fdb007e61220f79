package failover

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/drwatch/drwatch/internal/replication"
)

// span is a duration that JSON keeps to the nanosecond, whatever it is read by.
type span time.Duration

// MarshalText writes it as time.Duration does.
func (s span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *span) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	*s = span(d)
	return err
}

// recordedSnapshot is what Decide read of a Snapshot, as it stands in a journal:
// no other rule, group or vote. Its Now is as far from the read of the group as
// the process saw pass, whatever the wall clock did.
type recordedSnapshot struct {
	Now          time.Time               `json:"now"`
	Rule         Rule                    `json:"rule"`
	Group        recordedGroup           `json:"group"`
	ActiveSite   string                  `json:"active_site"`
	TargetSite   string                  `json:"target_site"`
	Since        time.Time               `json:"since,omitzero"`
	LastGood     time.Time               `json:"last_good,omitzero"`
	Skew         span                    `json:"skew,omitzero"`
	UntrueFor    span                    `json:"untrue_for,omitzero"`
	Guards       []replication.Condition `json:"guards,omitempty"`
	Fitness      []replication.Condition `json:"fitness,omitempty"`
	Election     int64                   `json:"election"`
	Leader       int64                   `json:"leader"` // the present leader's election, 0: nobody
	AcceptSingle bool                    `json:"accept_single,omitempty"`
	CanAct       bool                    `json:"can_act"`
	Freeze       *replication.Freeze     `json:"freeze,omitempty"`
	Clock        span                    `json:"clock"`
	Observers    []recordedObserver      `json:"observers"`
	Registered   map[string]string       `json:"registered,omitempty"`
	Votes        []recordedVote          `json:"votes,omitempty"`
	Record       recordedRecord          `json:"record"`
	Episode      *replication.Episode    `json:"episode,omitempty"`
	Failures     int                     `json:"failures"` // of the rule, in this site loss
	Started      int                     `json:"started_last_hour"`
	Slots        int                     `json:"slots"`
	After        []TierState             `json:"after,omitempty"`
	Claim        *recordedClaim          `json:"claim,omitempty"`
}

type recordedGroup struct {
	Key          replication.GroupKey    `json:"key"`
	Source       replication.Location    `json:"source"`
	Target       replication.Location    `json:"target"`
	Active       replication.Location    `json:"active"`
	RawStatus    string                  `json:"raw_status"`
	State        replication.State       `json:"state"`
	Ready        []replication.Condition `json:"ready,omitempty"`
	Baseline     string                  `json:"baseline,omitempty"`
	LastSync     time.Time               `json:"last_sync,omitzero"`
	Lag          *span                   `json:"lag,omitempty"`
	ReadAt       time.Time               `json:"read_at,omitzero"`
	ProviderTime time.Time               `json:"provider_time,omitzero"`
}

type recordedObserver struct {
	Name    string `json:"name"`
	Site    string `json:"site"`
	Beating bool   `json:"beating"`
	Left    bool   `json:"left,omitempty"` // not registered any more
}

type recordedVote struct {
	Observer   string              `json:"observer"`
	Site       string              `json:"site"`
	Verdict    replication.Verdict `json:"vote"`
	Hash       string              `json:"rule_hash"`
	Mode       replication.Mode    `json:"mode"`
	TargetDown bool                `json:"target_down,omitempty"`
}

type recordedRecord struct {
	OpenIncident string               `json:"open_incident,omitempty"`
	Latch        *replication.Latch   `json:"latch,omitempty"`
	LastActionAt time.Time            `json:"last_action_at,omitzero"`
	LastAction   *span                `json:"last_action_clock,omitempty"`
	Baseline     string               `json:"baseline,omitempty"`
	Active       replication.Location `json:"active,omitzero"`
}

type recordedClaim struct {
	ID        string               `json:"id"`
	Mode      replication.Mode     `json:"mode"`
	Slot      int                  `json:"slot"`
	Executed  time.Time            `json:"executed,omitzero"`
	From      replication.Location `json:"from"`
	To        replication.Location `json:"to"`
	Lost      time.Time            `json:"lost,omitzero"`
	LostThere time.Time            `json:"lost_there,omitzero"`
}

// wall is a time as JSON keeps it.
func wall(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.Round(0).UTC()
}

// reduced is what Decide reads of s.
func reduced(s Snapshot) recordedSnapshot {
	t, c, key := s.Target, s.Cluster, s.Target.Group.Key
	r := recordedSnapshot{
		Now: wall(s.Now), Rule: s.Rule, Group: reducedGroup(t.Group), ActiveSite: t.ActiveSite, TargetSite: t.TargetSite,
		Since: wall(t.Since), LastGood: wall(t.LastGood), Skew: span(t.Skew), UntrueFor: span(t.UntrueFor), Guards: t.Guards, Fitness: s.Fitness,
		Election: s.Election, AcceptSingle: s.AcceptSingle, CanAct: s.CanAct, Freeze: c.Freeze, Clock: span(c.Clock),
		Record: reducedRecord(c.Groups[key]), Failures: c.Losses[t.ActiveSite].Failures[s.Rule.Name],
		Started: startedLastHour(c, s.Rule.Name), Slots: len(c.Slots[s.Rule.Name]), After: s.After, Registered: c.Registered,
	}
	r.Rule.Expr = "" // no condition looks at it, and it may be long
	if read := t.Group.ReadAt; !read.IsZero() {
		r.Now = wall(read).Add(s.Now.Sub(read))
	}
	if c.Leader != nil {
		r.Leader = c.Leader.CreateRev
	}
	if e, ok := c.Episodes[replication.EpisodeKey(s.Rule.Name, key)]; ok {
		r.Episode = &e
	}
	for _, o := range c.Observers {
		r.Observers = append(r.Observers, recordedObserver{Name: o.Name, Site: o.Site, Beating: s.Beating[o.Name]})
	}
	known := map[string]bool{}
	for _, o := range c.Observers {
		known[o.Name] = true
	}
	// A heart that beats may be that of an observer which has just left.
	for _, name := range slices.Sorted(maps.Keys(s.Beating)) {
		if s.Beating[name] && !known[name] {
			r.Observers = append(r.Observers, recordedObserver{Name: name, Beating: true, Left: true})
		}
	}
	for _, v := range c.Votes {
		if v.Rule == s.Rule.Name && v.Group == key {
			r.Votes = append(r.Votes, recordedVote{Observer: v.Observer, Site: v.Site, Verdict: v.Verdict, Hash: v.RuleHash, Mode: v.Mode, TargetDown: v.TargetDown})
		}
	}
	if s.Claim != nil {
		p := s.Claim.Plan
		r.Claim = &recordedClaim{ID: s.Claim.ID, Mode: s.Claim.Mode, Slot: s.Claim.Slot, Executed: wall(s.Claim.ExecutedAt), From: p.From, To: p.To, Lost: wall(p.Lost), LostThere: wall(p.LostThere)}
	}
	return r
}

func reducedGroup(g replication.Group) recordedGroup {
	r := recordedGroup{
		Key: g.Key, Source: g.Source, Target: g.Target, Active: g.Active, RawStatus: g.RawStatus, State: g.State, Ready: g.Ready,
		Baseline: g.Baseline, LastSync: wall(g.LastSync), ReadAt: wall(g.ReadAt), ProviderTime: wall(g.ProviderTime),
	}
	if g.Lag != nil {
		lag := span(*g.Lag)
		r.Lag = &lag
	}
	return r
}

func reducedRecord(g replication.GroupRecord) recordedRecord {
	r := recordedRecord{OpenIncident: g.OpenIncident, Latch: g.Latch, Baseline: g.Baseline, Active: g.Active}
	if g.LastAction != nil {
		clock := span(g.LastAction.Clock)
		r.LastActionAt, r.LastAction = wall(g.LastAction.At), &clock
	}
	return r
}

// snapshot is a Snapshot on which Decide answers as on the one that was reduced.
func (r recordedSnapshot) snapshot() Snapshot {
	key := r.Group.Key
	s := Snapshot{
		Now: r.Now, Rule: r.Rule, Fitness: r.Fitness, Election: r.Election, AcceptSingle: r.AcceptSingle, CanAct: r.CanAct, After: r.After, Beating: map[string]bool{},
		Target: Target{
			Group: r.Group.group(), ActiveSite: r.ActiveSite, TargetSite: r.TargetSite, Since: r.Since, LastGood: r.LastGood, Skew: time.Duration(r.Skew),
			UntrueFor: time.Duration(r.UntrueFor), Guards: r.Guards,
		},
		Cluster: replication.Cluster{
			Freeze: r.Freeze, Registered: r.Registered, Clock: time.Duration(r.Clock), Groups: map[replication.GroupKey]replication.GroupRecord{key: r.Record.record()},
			Losses:  map[string]replication.SiteLoss{r.ActiveSite: {Failures: map[string]int{r.Rule.Name: r.Failures}}},
			Slots:   map[string]map[int]string{r.Rule.Name: {}},
			Started: map[string][]time.Duration{r.Rule.Name: slices.Repeat([]time.Duration{time.Duration(r.Clock)}, max(0, r.Started))},
		},
	}
	for n := range r.Slots {
		s.Cluster.Slots[r.Rule.Name][n] = ""
	}
	if r.Leader != 0 {
		s.Cluster.Leader = &replication.Leader{CreateRev: r.Leader}
	}
	if r.Episode != nil {
		s.Cluster.Episodes = map[string]replication.Episode{replication.EpisodeKey(r.Rule.Name, key): *r.Episode}
	}
	for _, o := range r.Observers {
		if s.Beating[o.Name] = o.Beating; !o.Left {
			s.Cluster.Observers = append(s.Cluster.Observers, replication.Observer{Name: o.Name, Site: o.Site})
		}
	}
	for _, v := range r.Votes {
		s.Cluster.Votes = append(s.Cluster.Votes, replication.Vote{
			Rule: r.Rule.Name, Group: key, Observer: v.Observer, Site: v.Site, Verdict: v.Verdict, RuleHash: v.Hash, Mode: v.Mode, TargetDown: v.TargetDown,
		})
	}
	if c := r.Claim; c != nil {
		s.Claim = &replication.IncidentRecord{Incident: replication.Incident{ID: c.ID, Mode: c.Mode, Slot: c.Slot, ExecutedAt: c.Executed, Plan: replication.Plan{From: c.From, To: c.To, Lost: c.Lost, LostThere: c.LostThere}}}
	}
	return s
}

func (r recordedGroup) group() replication.Group {
	g := replication.Group{
		Key: r.Key, Source: r.Source, Target: r.Target, Active: r.Active, RawStatus: r.RawStatus, State: r.State, Ready: r.Ready,
		Baseline: r.Baseline, LastSync: r.LastSync, ReadAt: r.ReadAt, ProviderTime: r.ProviderTime,
	}
	if r.Lag != nil {
		lag := time.Duration(*r.Lag)
		g.Lag = &lag
	}
	return g
}

func (r recordedRecord) record() replication.GroupRecord {
	g := replication.GroupRecord{OpenIncident: r.OpenIncident, Latch: r.Latch, Baseline: r.Baseline, Active: r.Active}
	if r.LastAction != nil {
		g.LastAction = &replication.LastAction{At: r.LastActionAt, Clock: time.Duration(*r.LastAction)}
	}
	return g
}

// recordedDecision is the answer that was given.
type recordedDecision struct {
	Act        bool                    `json:"act"`
	Evidence   bool                    `json:"evidence"`
	Mode       replication.Mode        `json:"mode"`
	Counted    []string                `json:"counted"` // observers
	Lost       time.Time               `json:"lost,omitzero"`
	RPO        *span                   `json:"rpo"`
	Conditions []replication.Condition `json:"conditions"`
}

func answered(d Decision) recordedDecision {
	r := recordedDecision{Act: d.Act, Evidence: d.Evidence, Mode: d.Mode, Counted: []string{}, Lost: wall(d.Lost), Conditions: d.Conditions}
	for _, v := range d.Counted {
		r.Counted = append(r.Counted, v.Observer)
	}
	if d.RPO != nil {
		rpo := span(*d.RPO)
		r.RPO = &rpo
	}
	return r
}

// recording is a decision with all that it was made of.
type recording struct {
	Decision recordedDecision `json:"decision"`
	Snapshot recordedSnapshot `json:"snapshot"`
	// Texts is what the values of conditions were cut to, 0: not at all.
	Texts int `json:"texts_cut_to,omitempty"`
	// Missing are the parts that did not fit.
	Missing []string `json:"missing,omitempty"`
}

// maxRecording bounds what a decision takes in a journal entry, whose data may
// have 12 KiB.
const maxRecording = 11 << 10

// Record is a decision for the data of a journal entry, as far as it fits: first
// the values of conditions are cut, then whole parts are left out and named.
func Record(s Snapshot, d Decision) map[string]any {
	r := recording{Decision: answered(d), Snapshot: reduced(s)}
	for _, limit := range []int{1024, 256, 64} {
		if r.fits() {
			break
		}
		r.cut(limit)
	}
	leave := []struct {
		part string
		out  func()
	}{
		{"guards", func() { r.Snapshot.Guards = nil }},
		{"the provider's conditions", func() { r.Snapshot.Group.Ready = nil }},
		{"fitness", func() { r.Snapshot.Fitness = nil }},
		{"votes", func() { r.Snapshot.Votes = nil }},
		{"observers", func() { r.Snapshot.Observers = nil }},
		{"conditions", func() { r.Decision.Conditions = nil }},
	}
	for _, l := range leave {
		if r.fits() {
			break
		}
		l.out()
		r.Missing = append(r.Missing, l.part)
	}
	return map[string]any{"replay": r}
}

// decided is Decide that keeps the snapshot, for a journal.
func decided(s Snapshot) Decision {
	d := Decide(s)
	d.made = &s
	return d
}

// entry is the journal entry's part that replays the decision, as far as the
// snapshot was kept.
func (d Decision) entry() replication.Entry {
	if d.made == nil {
		return replication.Entry{}
	}
	return replication.Entry{Data: Record(*d.made, d)}
}

func (r *recording) fits() bool {
	b, err := json.Marshal(r)
	return err == nil && len(b) <= maxRecording
}

func (r *recording) cut(limit int) {
	r.Texts = limit
	r.Decision.Conditions = cutTexts(r.Decision.Conditions, limit)
	r.Snapshot.Guards = cutTexts(r.Snapshot.Guards, limit)
	r.Snapshot.Group.Ready = cutTexts(r.Snapshot.Group.Ready, limit)
	r.Snapshot.Fitness = cutTexts(r.Snapshot.Fitness, limit)
}

// cutTexts are the conditions with values and thresholds of at most limit bytes;
// 0 leaves them as they are.
func cutTexts(cs []replication.Condition, limit int) []replication.Condition {
	out := slices.Clone(cs)
	for i := range out {
		out[i].Value, out[i].Threshold = cutText(out[i].Value, limit), cutText(out[i].Threshold, limit)
	}
	return out
}

func cutText(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if limit == 0 || len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// mostCounted is more slots, or starts in an hour, than there ever are.
const mostCounted = 1 << 20

// possible refuses counts that Record never writes: an entry may be anybody's, and a
// replay must end.
func (r recording) possible() error {
	if r.Texts < 0 || max(r.Snapshot.Slots, r.Snapshot.Started) > mostCounted {
		return fmt.Errorf("its counts cannot be: %d slots, %d starts in the last hour, texts cut to %d", r.Snapshot.Slots, r.Snapshot.Started, r.Texts)
	}
	return nil
}

// Replay is a recorded decision, made again.
type Replay struct {
	Act     bool             // what was decided
	Mode    replication.Mode // in which mode
	Missing []string         // parts that the journal does not hold: they did not fit
	// Differences are what Decide answers otherwise now; none: the same decision.
	Differences []string
}

// Same tells that the decision is the same, and that nothing was missing to know.
func (r Replay) Same() bool { return len(r.Missing) == 0 && len(r.Differences) == 0 }

// Recorded tells whether a journal entry holds a decision to replay.
func Recorded(e replication.Entry) bool { return e.Data["replay"] != nil }

// ReplayEntry makes the decision of a journal entry again, on what was read for it.
func ReplayEntry(e replication.Entry) (Replay, error) {
	var rec recording
	b, err := json.Marshal(e.Data["replay"])
	if err == nil {
		err = json.Unmarshal(b, &rec)
	}
	if err == nil {
		err = rec.possible()
	}
	if err != nil {
		return Replay{}, fmt.Errorf("entry %d of %s holds no decision that this version can read: %w", e.Seq, e.Incident, err)
	}
	again := answered(Decide(rec.Snapshot.snapshot()))
	again.Conditions = cutTexts(again.Conditions, rec.Texts)
	return Replay{Act: rec.Decision.Act, Mode: rec.Decision.Mode, Missing: rec.Missing, Differences: differences(rec.Decision, again)}, nil
}

func differences(was, is recordedDecision) []string {
	var out []string
	add := func(what string, was, is any) {
		if w, i := fmt.Sprint(was), fmt.Sprint(is); w != i {
			out = append(out, fmt.Sprintf("%s: was %s, is %s", what, w, i))
		}
	}
	add("act", was.Act, is.Act)
	add("evidence", was.Evidence, is.Evidence)
	add("mode", was.Mode, is.Mode)
	add("counted votes", was.Counted, is.Counted)
	add("production last known good", was.Lost.Format(time.RFC3339Nano), is.Lost.Format(time.RFC3339Nano))
	add("RPO", shownSpan(was.RPO), shownSpan(is.RPO))
	left := slices.Clone(is.Conditions)
	for _, c := range was.Conditions {
		i := slices.IndexFunc(left, func(x replication.Condition) bool { return x.Name == c.Name })
		if i < 0 {
			out = append(out, fmt.Sprintf("%s: was %s, is not among the conditions", c.Name, shownCondition(c)))
			continue
		}
		add(c.Name, shownCondition(c), shownCondition(left[i]))
		left = slices.Delete(left, i, i+1)
	}
	for _, c := range left {
		out = append(out, fmt.Sprintf("%s: was not among the conditions, is %s", c.Name, shownCondition(c)))
	}
	return out
}

func shownSpan(s *span) string {
	if s == nil {
		return "not told"
	}
	return time.Duration(*s).String()
}

func shownCondition(c replication.Condition) string {
	verdict := "ok"
	if !c.OK {
		verdict = "NO"
	}
	return fmt.Sprintf("%s %q (wants %q)", verdict, c.Value, c.Threshold)
}
