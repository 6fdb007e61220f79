package exhaust_test

import (
	"fmt"
	"hash/fnv"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// search looks at every state of a scope, breadth first. A state is what a path of
// choices leads to from the start; it is made anew by taking them again, because what
// runs cannot be copied. Each is looked at once.
type search struct {
	scope
	t     *testing.T
	ahead int // states that are gone through at once, when nobody has been there
	most  int // states, 0: all

	mu      sync.Mutex
	seen    map[digest]int32
	nodes   []node
	labels  []string
	label   map[string]uint16
	edges   int
	ends    int // states that were followed to their end
	found   string
	path    []string // to what was found
	deepest int
}

// node is a state by the choice that led to it first.
type node struct {
	from  int32
	open  uint32 // a sum over the choices that there are
	by    uint16
	depth uint16
	done  int // choices that were taken on the way
}

func newSearch(t *testing.T, s scope, ahead, most int) *search {
	return &search{scope: s, t: t, ahead: ahead, most: most, seen: map[digest]int32{}, label: map[string]uint16{}}
}

func (s *search) run() {
	s.inBubble(func() {
		w := newWorld(s.scope)
		_, _ = s.add(w, -1, "start")
		w.end()
	})
	for from := 0; from < len(s.nodes) && s.found == "" && (s.most == 0 || len(s.nodes) < s.most); {
		to := len(s.nodes)
		s.level(from, to)
		if *tell {
			s.t.Logf("depth %d: %d states, %d transitions, %d not looked at", s.nodes[from].depth, len(s.nodes), s.edges, len(s.nodes)-to)
		}
		from = to
	}
}

// level looks at what follows the states of one depth.
func (s *search) level(from, to int) {
	const batch = 16
	next := make(chan int, (to-from)/batch+1)
	for n := from; n < to; n += batch {
		next <- n
	}
	close(next)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for n := range next {
				s.inBubble(func() {
					for i := n; i < min(n+batch, to); i++ {
						s.expand(int32(i))
					}
				})
			}
		})
	}
	workers.Wait()
}

func (s *search) inBubble(f func()) {
	synctest.Test(s.t, func(*testing.T) { f() })
}

// expand takes each of the choices that there are in a state.
func (s *search) expand(n int32) {
	path := s.pathTo(n)
	for i := s.nodeAt(n).done; ; i++ {
		w := newWorld(s.scope)
		for _, label := range path {
			if !w.take(label) {
				s.find(w, n, "", "the path cannot be taken again: "+label)
				w.end()
				return
			}
		}
		choices := w.choices()
		if i < len(choices) {
			w.doing(choices[i])
			s.follow(w, n, choices[i].label)
		}
		w.end()
		if i+1 >= len(choices) || s.over() {
			return
		}
	}
}

// follow goes on from where a choice has led, as long as nobody has been there: it
// saves to make that state anew for the first of its choices.
func (s *search) follow(w *world, from int32, by string) {
	for left := s.ahead; ; left-- {
		n, goesOn := s.add(w, from, by)
		choices := w.choices()
		if !goesOn || left == 0 || len(choices) == 0 || !s.firstOf(n) {
			return
		}
		w.doing(choices[0])
		from, by = n, choices[0].label
	}
}

// firstOf takes the first choice of a state, if nobody has.
func (s *search) firstOf(n int32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nodes[n].done > 0 {
		return false
	}
	s.nodes[n].done = 1
	return true
}

// add takes down where a choice has led. It tells whether nobody has been there, and
// one may go on from there.
func (s *search) add(w *world, from int32, by string) (int32, bool) {
	d := w.digest()
	if len(w.violations) > 0 {
		s.find(w, from, by, strings.Join(w.violations, "; "))
		return 0, false
	}
	open := openTo(w)
	n, isNew := s.enter(d, from, by, open)
	if !isNew && s.nodeAt(n).open != open {
		s.find(w, from, by, fmt.Sprintf("the same state has other choices: %s\n%s", strings.Join(s.pathTo(n), "\n"), w.text())+openText(w))
	}
	if isNew && s.ended(n) {
		e := ending{delivers: n/int32(s.progress)%2 == 0, returns: n/int32(s.progress)%4 < 2}
		left := w.goOn(e)
		if len(w.violations) > 0 {
			left = strings.Join(w.violations, "; ")
		}
		if left != "" {
			s.find(w, from, by, fmt.Sprintf("goes on (%+v): %s", e, left))
		}
		return n, false
	}
	return n, isNew
}

// ended tells whether a state is followed to its end.
func (s *search) ended(n int32) bool { return int(n)%s.progress == s.progress-1 }

func (s *search) enter(d digest, from int32, by string, open uint32) (int32, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if from >= 0 {
		s.edges++
	}
	if n, known := s.seen[d]; known {
		return n, false
	}
	b, ok := s.label[by]
	if !ok {
		b = uint16(len(s.labels))
		s.label[by] = b
		s.labels = append(s.labels, by)
	}
	n := int32(len(s.nodes))
	depth := uint16(0)
	if from >= 0 {
		depth = s.nodes[from].depth + 1
	}
	s.nodes = append(s.nodes, node{from: from, by: b, depth: depth, open: open})
	s.seen[d] = n
	if s.ended(n) {
		s.ends++
	}
	s.deepest = max(s.deepest, int(depth))
	return n, true
}

// openTo is a sum over the choices that there are.
func openTo(w *world) uint32 {
	sum := fnv.New32a()
	for _, c := range w.choices() {
		sum.Write([]byte(c.label))
	}
	return sum.Sum32()
}

func (s *search) nodeAt(n int32) node {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nodes[n]
}

func (s *search) pathTo(n int32) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := make([]string, s.nodes[n].depth)
	for i := len(path) - 1; i >= 0; i-- {
		path[i] = s.labels[s.nodes[n].by]
		n = s.nodes[n].from
	}
	return path
}

func (s *search) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.found != ""
}

func (s *search) find(w *world, from int32, by, what string) {
	path := []string{}
	if from >= 0 {
		path = s.pathTo(from)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.found == "" {
		s.found, s.path = what, append(path, by)
	}
}

func (s *search) report(took time.Duration) string {
	if s.most != 0 && len(s.nodes) >= s.most {
		return fmt.Sprintf("%s: NOT EXHAUSTED, %d states, %d transitions, depth %d, %d followed to their end, in %s",
			s.name, len(s.nodes), s.edges, s.deepest, s.ends, took.Round(100*time.Millisecond))
	}
	return fmt.Sprintf("%s: %d states, %d transitions, depth %d, %d followed to their end, in %s",
		s.name, len(s.nodes), s.edges, s.deepest, s.ends, took.Round(100*time.Millisecond))
}

func openText(w *world) string {
	out := "\n"
	for _, c := range w.choices() {
		out += c.label + "; "
	}
	return out
}
