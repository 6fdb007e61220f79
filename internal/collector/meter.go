package collector

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
)

// meter counts the requests of one account. It implements provider.Meter.
type meter struct {
	mu        sync.Mutex
	requests  map[exchange]*distribution
	throttled map[string]uint64
	decode    map[string]uint64
	skew      *time.Duration
	unread    map[provider.Unread]*unread // since they were last told of; the keys name no item
}

// unread is what could not be read of one field in the answers to one call.
type unread struct {
	provider.Unread
	count int
	items []string // the first of them
}

// maxItems is how many items are named of which the same field could not be read.
const maxItems = 3

type exchange struct{ operation, code string }

var _ provider.Meter = (*meter)(nil)

func newMeter() *meter {
	return &meter{requests: map[exchange]*distribution{}, throttled: map[string]uint64{}, decode: map[string]uint64{}, unread: map[provider.Unread]*unread{}}
}

// Request counts one HTTP exchange.
func (m *meter) Request(operation, code string, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := exchange{operation, code}
	if m.requests[e] == nil {
		m.requests[e] = newDistribution(requestBounds)
	}
	m.requests[e].observe(took.Seconds())
}

// Throttled counts one refusal for the rate.
func (m *meter) Throttled(operation string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.throttled[operation]++
}

// DecodeError counts one field that could not be read.
func (m *meter) DecodeError(u provider.Unread) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.decode[u.Field]++
	key := provider.Unread{Call: u.Call, Field: u.Field}
	if m.unread[key] == nil {
		m.unread[key] = &unread{Unread: key}
	}
	is := m.unread[key]
	is.count++
	if u.Item != "" && len(is.items) < maxItems && !slices.Contains(is.items, u.Item) {
		is.items = append(is.items, u.Item)
	}
}

// takeUnread is what could not be read since it was last taken, in a fixed order.
func (m *meter) takeUnread() []*unread {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := slices.SortedFunc(maps.Values(m.unread), func(a, b *unread) int {
		return strings.Compare(a.Call+"\x00"+a.Field, b.Call+"\x00"+b.Field)
	})
	clear(m.unread)
	return out
}

// ClockSkew keeps the provider's clock minus ours.
func (m *meter) ClockSkew(skew time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.skew = &skew
}

// samples is what was counted, in a fixed order.
func (m *meter) samples(account string) []Sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Sample
	for _, e := range slices.SortedFunc(maps.Keys(m.requests), func(a, b exchange) int {
		return strings.Compare(a.operation+"\x00"+a.code, b.operation+"\x00"+b.code)
	}) {
		d, values := m.requests[e], []string{account, e.operation, e.code}
		out = append(out,
			Sample{Metric: "drwatch_provider_requests_total", Labels: values, Value: float64(d.count)},
			Sample{Metric: "drwatch_provider_request_duration_seconds", Labels: values, Histogram: d.histogram()})
	}
	for _, op := range slices.Sorted(maps.Keys(m.throttled)) {
		out = append(out, Sample{Metric: "drwatch_provider_throttled_total", Labels: []string{account, op}, Value: float64(m.throttled[op])})
	}
	for _, field := range slices.Sorted(maps.Keys(m.decode)) {
		out = append(out, Sample{Metric: "drwatch_provider_decode_errors_total", Labels: []string{account, field}, Value: float64(m.decode[field])})
	}
	if m.skew != nil {
		out = append(out, Sample{Metric: "drwatch_account_clock_skew_seconds", Labels: []string{account}, Value: m.skew.Seconds()})
	}
	return out
}
