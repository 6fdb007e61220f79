package ledger

import (
	"encoding/json"
	"fmt"
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

// decodeVotes reads one vote key.
func decodeVotes(rule, observer string, it Item) ([]replication.Vote, error) {
	var s shardValue
	if err := json.Unmarshal(it.Value, &s); err != nil {
		return nil, err
	}
	votes := make([]replication.Vote, 0, len(s.Votes))
	for group, v := range s.Votes {
		g, err := replication.ParseGroupKey(group)
		if err != nil {
			return nil, err
		}
		value, err := strconv.ParseFloat(v.Value, 64)
		if err != nil {
			return nil, fmt.Errorf("value of the vote on %s: %w", group, err)
		}
		votes = append(votes, replication.Vote{
			Observer: observer, Site: s.Site, Rule: rule, RuleHash: v.Hash, Group: g, Verdict: v.Verdict, Since: v.Since,
			Value: value, Evidence: v.Evidence, Mode: v.Mode, TargetDown: v.TargetDown, Key: it.Key, Rev: it.Mod,
		})
	}
	return votes, nil
}
