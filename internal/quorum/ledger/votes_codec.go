package ledger

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/drwatch/drwatch/internal/replication"
)

// shardValue is what one vote key holds: one observer's votes on the groups of
// one rule that fall into one shard.
type shardValue struct {
	Site  string               `json:"s"`
	Votes map[string]shortVote `json:"v"` // by group key
}

// shortVote is a vote without what its key tells already. The value is text,
// because a sample may be NaN.
type shortVote struct {
	Verdict    replication.Verdict `json:"v"`
	Since      time.Time           `json:"t,omitzero"`
	Hash       string              `json:"h"`
	Mode       replication.Mode    `json:"m,omitempty"`
	TargetDown bool                `json:"d,omitempty"`
	Value      string              `json:"x,omitempty"`
	Evidence   string              `json:"e,omitempty"`
}

func short(v replication.Vote) shortVote {
	return shortVote{
		Verdict: v.Verdict, Since: v.Since.Round(0).UTC(), Hash: v.RuleHash, Mode: v.Mode, TargetDown: v.TargetDown,
		Value: strconv.FormatFloat(v.Value, 'g', -1, 64), Evidence: cut(v.Evidence, evidenceLimit),
	}
}

// verdictOnly leaves what a change of is worth a write: not the sample and its
// text, which change at every evaluation and stay with the observer.
func (s shardValue) verdictOnly() shardValue {
	out := shardValue{Site: s.Site, Votes: make(map[string]shortVote, len(s.Votes))}
	for g, v := range s.Votes {
		out.Votes[g] = shortVote{Verdict: v.Verdict, Hash: v.Hash, Mode: v.Mode, TargetDown: v.TargetDown}
	}
	return out
}

// unreadVote is the evidence of a vote that cannot be read.
const unreadVote = "it is written in a way that this version of drwatch does not know"

// decodeVotes reads one vote key. Of a vote that another version wrote in a way
// not known here the key tells enough: it is a veto or no go.
func decodeVotes(rule, observer string, it Item, veto bool) ([]replication.Vote, error) {
	var s struct {
		Site  string                     `json:"s"`
		Votes map[string]json.RawMessage `json:"v"`
	}
	if err := json.Unmarshal(it.Value, &s); err != nil {
		return nil, err
	}
	votes := make([]replication.Vote, 0, len(s.Votes))
	for _, group := range slices.Sorted(maps.Keys(s.Votes)) {
		raw := s.Votes[group]
		g, err := replication.ParseGroupKey(group)
		if err != nil {
			return nil, err
		}
		v := decodeVote(raw, veto)
		v.Observer, v.Site, v.Rule, v.Group, v.Key, v.Rev = observer, s.Site, rule, g, it.Key, it.Mod
		votes = append(votes, v)
	}
	return votes, nil
}

func decodeVote(raw []byte, veto bool) replication.Vote {
	var s shortVote
	err := json.Unmarshal(raw, &s)
	value, perr := strconv.ParseFloat(s.Value, 64)
	v := replication.Vote{
		RuleHash: s.Hash, Verdict: s.Verdict, Since: s.Since, Value: value, Evidence: s.Evidence, Mode: s.Mode, TargetDown: s.TargetDown,
	}
	switch {
	case veto:
		v.Verdict = replication.Veto
	case err != nil || perr != nil || !slices.Contains(plainVerdicts, s.Verdict):
		v.Verdict, v.Evidence = replication.Abstain, unreadVote
	}
	return v
}

// plainVerdicts are those of the keys that hold no vetoes.
var plainVerdicts = []replication.Verdict{replication.Go, replication.Pending, replication.Abstain}
