package simtest_test

import "time"

// reaches tells whether what one sends comes to the other.
func (w *world) reaches(from, to string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut[[2]string{from, to}] == 0
}

// linked tells whether two can reach each other, both ways: observers, sites, and the
// cloud.
func (w *world) linked(a, b string) bool { return w.reaches(a, b) && w.reaches(b, a) }

// sever cuts two from each other, or takes such a cut back.
func (w *world) sever(a, b string, by int) {
	w.severOneWay(a, b, by)
	w.severOneWay(b, a, by)
}

// severOneWay loses what one sends to the other.
func (w *world) severOneWay(from, to string, by int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[[2]string{from, to}] += by
}

// happenToNetwork cuts what the event names: with a step, when it comes to it, and
// with nobody named, whoever does.
func (w *world) happenToNetwork(e event) {
	w.whenever(e, func(name string) {
		switch e.what {
		case "cut":
			w.forAWhile(e, name, e.whom)
			w.forAWhile(e, e.whom, name)
		case "mute": // what it says is lost, it hears
			w.forAWhile(e, name, e.whom)
		case "deaf": // it is heard, and hears nothing
			w.forAWhile(e, e.whom, name)
		case "isolate": // from the other observers, not from the cloud
			for _, other := range w.observers {
				w.forAWhile(e, name, other.name)
				w.forAWhile(e, other.name, name)
			}
		}
	})
}

func (w *world) forAWhile(e event, from, to string) {
	if from == to {
		return
	}
	w.severOneWay(from, to, 1)
	w.after(e.last, func() { w.severOneWay(from, to, -1) })
}

// ways are all there are between the observers, and to the sites and the cloud.
func (w *world) ways() [][2]string {
	var out [][2]string
	for _, a := range w.observers {
		for _, b := range w.observers {
			if a != b {
				out = append(out, [2]string{a.name, b.name})
			}
		}
		for _, b := range []string{"az-a", "az-b", "cloud"} {
			out = append(out, [2]string{a.name, b}, [2]string{b, a.name})
		}
	}
	return out
}

// shape cuts any set of ways: one bit of n for each.
func (w *world) shape(e event) {
	for i, way := range w.ways() {
		if e.n>>(i%62)&1 == 1 {
			w.forAWhile(e, way[0], way[1])
		}
	}
}

// serves tells whether a request of the observer comes to a store that a majority
// writes, or the answer back. The store's members stand beside the observers and
// follow one of them; when that one loses its majority another is elected, and until
// then nobody is served.
func (w *world) serves(observer string, answer bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.serving == "" || !w.majority(w.serving) {
		if w.serving != "" {
			w.serving, w.election = "", w.now()+2*time.Second
		}
		if w.now() < w.election {
			return false
		}
		for _, o := range w.observers {
			if w.majority(o.name) {
				w.serving = o.name
				break
			}
		}
		if w.serving == "" {
			return false
		}
	}
	way := [2]string{observer, w.serving}
	if answer {
		way = [2]string{w.serving, observer}
	}
	return w.member(observer) && w.cut[way] == 0
}

// member tells whether the observer's machine is up: its member of the store dies
// with it.
func (w *world) member(name string) bool {
	for _, o := range w.observers {
		if o.name == name {
			return o.alive
		}
	}
	return false
}

func (w *world) majority(leader string) bool {
	if !w.member(leader) {
		return false
	}
	n := 0
	for _, o := range w.observers {
		if o.alive && (o.name == leader || w.cut[[2]string{o.name, leader}]+w.cut[[2]string{leader, o.name}] == 0) {
			n++
		}
	}
	return 2*n > len(w.observers)
}
