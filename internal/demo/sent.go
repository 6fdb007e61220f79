package demo

import (
	"github.com/drwatch/drwatch/internal/failover"
	"github.com/drwatch/drwatch/internal/replication"
)

// sent is the newest that is known of the call for each group: that it will be
// made, or how it was answered.
type sent map[string]string

const (
	intent  = "intent"
	outcome = "outcome"
)

// note takes a fact's part in it.
func (s sent) note(f failover.Fact) {
	if e := f.Entry.Event; e == intent || e == outcome {
		s[f.Incident.Group] = e
	}
}

// counts are how far the promised groups have come.
type counts struct {
	waiting int // nothing is sent for them
	open    int // between the intent and the answer
	called  int // answered
	servers int // of those, the servers
}

func (s sent) count(promises []promise) counts {
	var c counts
	for _, x := range promises {
		switch {
		case !x.moves:
		case s[x.ID] == intent:
			c.open++
		case s[x.ID] == outcome:
			c.called++
			if x.Provider == replication.HuaweiSDRS {
				c.servers++
			}
		default:
			c.waiting++
		}
	}
	return c
}
