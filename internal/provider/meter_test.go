package provider_test

import (
	"sync"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
)

// meter remembers what it was told.
type meter struct {
	provider.NopMeter
	mu       sync.Mutex
	requests []string // "operation code"
	decode   map[string]int
	skews    []time.Duration
}

func (m *meter) Request(operation, code string, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests = append(m.requests, operation+" "+code)
}

func (m *meter) DecodeError(u provider.Unread) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.decode == nil {
		m.decode = map[string]int{}
	}
	m.decode[u.Field]++
}

func (m *meter) ClockSkew(skew time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.skews = append(m.skews, skew)
}
