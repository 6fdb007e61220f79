package cloudsim

import (
	"container/heap"
	"time"
)

// timeline is what will happen, in the order in which it will. Nothing runs by
// itself: run is called whenever somebody looks.
type timeline struct {
	events eventHeap
	seq    int
}

type event struct {
	at  time.Time
	seq int
	do  func(at time.Time)
}

func (t *timeline) add(at time.Time, do func(at time.Time)) {
	t.seq++
	heap.Push(&t.events, event{at: at, seq: t.seq, do: do})
}

// run does everything that is due, each with the time at which it was due.
func (t *timeline) run(now time.Time) {
	for len(t.events) > 0 && !t.events[0].at.After(now) {
		e := heap.Pop(&t.events).(event)
		e.do(e.at)
	}
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].seq < h[j].seq
	}
	return h[i].at.Before(h[j].at)
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = event{}
	*h = old[:len(old)-1]
	return e
}
