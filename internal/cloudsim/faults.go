package cloudsim

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Answer is what the client gets to see.
type Answer string

// The answers. The first ones tell the truth, in full or spoilt; the effect has
// taken place. The others stand in for the truth, and unless the fault says
// otherwise nothing has taken place.
const (
	Honest        Answer = ""               // the true answer
	Cut           Answer = "cut"            // the connection is cut instead of an answer
	Hang          Answer = "hang"           // no answer until the client gives up
	Drip          Answer = "drip"           // the true answer, a byte at a time, After apart (default 1s)
	TruncatedGzip Answer = "truncated_gzip" // the true answer, half of it
	WrongType     Answer = "wrong_type"     // one item of the true answer has a field of another JSON type
	Nulls         Answer = "nulls"          // one item of the true answer is null in all fields but its id
	UnknownStatus Answer = "unknown_status" // one item has a status that no documentation knows
	RepeatToken   Answer = "repeat_token"   // the same page and the same token again and again
	Stale         Answer = "stale"          // groups as they were when the fault was made
	EmptyObject   Answer = "empty_object"   // 200 {}
	Empty         Answer = "empty"          // 200 without a body
	OKWithError   Answer = "ok_with_error"  // 200 with an error body
	Found         Answer = "found"          // 302 to the same place
	Redirect      Answer = "redirect"       // 307 to the same place
	BadGateway    Answer = "bad_gateway"    // 502 with an HTML page
	Unavailable   Answer = "unavailable"    // 503 without a body
	InternalError Answer = "internal_error" // 500 with the vendor's code
	NumericCode   Answer = "numeric_code"   // 500 with a number where a string belongs
	Throttled     Answer = "throttled"      // 429, or Alibaba's Throttling.User
	Skewed        Answer = "skewed"         // the refusal of a signature from another time
	Endless       Answer = "endless"        // a body without an end
	Huge          Answer = "huge"           // 64 MiB of JSON
	ResetReused   Answer = "reset_reused"   // RST when a request comes on a kept-alive connection
)

// truthful answers need the true one; what stands in for it does not.
func (a Answer) truthful() bool {
	return slices.Contains([]Answer{Honest, Cut, Hang, Drip, TruncatedGzip, WrongType, Nulls, UnknownStatus, RepeatToken, Stale}, a)
}

func (a Answer) known() bool {
	return a.truthful() || slices.Contains([]Answer{
		EmptyObject, Empty, OKWithError, Found, Redirect, BadGateway, Unavailable,
		InternalError, NumericCode, Throttled, Skewed, Endless, Huge, ResetReused,
	}, a)
}

// Fate is how an operation that was accepted goes on.
type Fate string

// The fates.
const (
	Succeeds Fate = ""
	Stuck    Fate = "stuck" // stays under way until the fault is cleared
	Fails    Fate = "fails" // ends in the provider's error state; an SDRS job FAILs with a sub-job
)

// Effect in spite of the answer, or not.
const (
	effectApplied = "applied"
	effectDropped = "dropped"
)

// Fault is one way in which a cloud misbehaves, and when. The zero Fault
// matches everything and changes nothing.
type Fault struct {
	ID string // given by AddFault

	// Which requests: empty fields match all.
	Endpoint  string
	Operation string // the vendor's name of a call, or an action: failover, switchover, reprotect, start, stop, drill
	Group     string // id; for lists, which item is spoilt
	Count     int    // how many requests; 0 = until cleared

	Before time.Duration // real time before the effect
	After  time.Duration // real time between the effect and the answer
	// Late puts the effect this much later, on the Cloud's clock. There is no
	// true answer then, nor to a dropped effect: one that needs it becomes Hang.
	Late   time.Duration
	Answer Answer
	// Applied decides about the effect of a mutating call: "applied", "dropped",
	// or "" for what is usual with the answer.
	Applied string
	Fate    Fate // of an accepted action
}

// activeFault is a fault in force, or as one request met it.
type activeFault struct {
	Fault
	left   int
	frozen map[string]*group
}

func (f activeFault) takesEffect() bool {
	if f.Applied == "" {
		return f.Answer.truthful()
	}
	return f.Applied == effectApplied
}

// seen is the group as the request may see it.
func (f activeFault) seen(g *group) *group {
	if old := f.frozen[g.id]; old != nil {
		return old
	}
	return g
}

// AddFault puts a fault in force and gives its id. Of several that match a
// request the oldest meets it.
func (c *Cloud) AddFault(f Fault) (string, error) {
	if !f.Answer.known() {
		return "", fmt.Errorf("simulated clouds: no fault answers %q", f.Answer)
	}
	if !slices.Contains([]Fate{Succeeds, Stuck, Fails}, f.Fate) {
		return "", fmt.Errorf("simulated clouds: no operation has the fate %q, use stuck or fails", f.Fate)
	}
	if !slices.Contains([]string{"", effectApplied, effectDropped}, f.Applied) {
		return "", fmt.Errorf("simulated clouds: Applied is %q, use applied, dropped or nothing", f.Applied)
	}
	if f.Endpoint != "" && c.endpoints[f.Endpoint] == nil {
		return "", fmt.Errorf("simulated clouds: no endpoint %q", f.Endpoint)
	}
	if (f.Late > 0 || f.Applied == effectDropped) && f.Answer.truthful() && f.Answer != Cut {
		f.Answer = Hang // there is no true answer yet, or ever
	}
	now := c.enter()
	defer c.mu.Unlock()
	c.faultSeq++
	f.ID = "fault-" + strconv.Itoa(c.faultSeq)
	a := &activeFault{Fault: f, left: f.Count}
	if f.Answer == Stale {
		a.frozen = c.freeze(f, now)
	}
	c.faults = append(c.faults, a)
	return f.ID, nil
}

// freeze keeps copies of the groups that the fault is about.
func (c *Cloud) freeze(f Fault, now time.Time) map[string]*group {
	frozen := make(map[string]*group)
	for _, g := range c.order {
		if f.Group != "" && f.Group != g.id {
			continue
		}
		old := *g
		old.faultLevel = c.faultLevelOf(g)
		old.clock.set(false, now)
		frozen[g.id] = &old
	}
	return frozen
}

// ClearFault ends the fault; what it had stuck goes on.
func (c *Cloud) ClearFault(id string) {
	now := c.enter()
	defer c.mu.Unlock()
	c.faults = slices.DeleteFunc(c.faults, func(f *activeFault) bool { return f.ID == id })
	c.unstick(id, now)
}

// ClearFaults ends all faults; what they had stuck goes on.
func (c *Cloud) ClearFaults() {
	now := c.enter()
	defer c.mu.Unlock()
	c.faults = nil
	c.unstick("", now)
}

// Faults lists the faults in force, oldest first.
func (c *Cloud) Faults() []Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]Fault, 0, len(c.faults))
	for _, f := range c.faults {
		out = append(out, f.Fault)
	}
	return out
}

// meetFault takes the fault that the request meets, and counts it.
func (c *Cloud) meetFault(q *request) activeFault {
	for i, f := range c.faults {
		if !f.matches(q) {
			continue
		}
		met := *f
		if f.Count > 0 {
			if f.left--; f.left == 0 {
				c.faults = slices.Delete(c.faults, i, i+1)
			}
		}
		if met.Answer == RepeatToken {
			q.forgetPlace()
		}
		return met
	}
	return activeFault{}
}

func (f *activeFault) matches(q *request) bool {
	if f.Answer == ResetReused && !q.reused {
		return false
	}
	operation := f.Operation == "" || f.Operation == q.route.operation || (q.route.action != "" && f.Operation == q.route.action)
	group := f.Group == "" || f.Group == q.group || (q.route.lists != "" && f.spoilsItems())
	return operation && group && cmp.Or(f.Endpoint, q.ep.Name) == q.ep.Name
}

// spoilsItems tells whether the fault can be about one item of a list.
func (f *activeFault) spoilsItems() bool {
	return slices.Contains([]Answer{WrongType, Nulls, UnknownStatus, Stale}, f.Answer)
}

// forgetPlace makes a paging request ask for the first page.
func (q *request) forgetPlace() {
	for _, name := range []string{"marker", "offset"} {
		q.query.Del(name)
	}
	if q.params != nil {
		q.params.Del("NextToken")
		q.params.Del("PageNumber")
	}
}
