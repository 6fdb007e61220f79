package chaos_test

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/drwatch/drwatch/internal/cloudsim"
)

const (
	obsD = "obs-d"
	obsE = "obs-e"
)

// fiveSeats: two of them stand at the site that is lost.
func fiveSeats() []seat {
	return []seat{{obsA, azA}, {obsB, azB}, {obsW, witness}, {obsD, azA}, {obsE, "elsewhere"}}
}

// apart has a site for each of them.
func apart() []seat {
	return []seat{{obsA, azA}, {obsB, azB}, {obsW, witness}, {obsD, "north"}, {obsE, "south"}}
}

// sites writes how many sites must agree.
func sites(agree, of int) func(observer, text string) string {
	return func(_, text string) string {
		return strings.Replace(text, "{agree: 2, of: 3}", fmt.Sprintf("{agree: %d, of: %d}", agree, of), 1)
	}
}

// twoOfFive: the site takes its two observers with it.
func twoOfFive(w *world) {
	w.lose(cloudsim.Loss{})
	w.observers[obsA].kill()
	w.observers[obsD].kill()
	w.once(150 * time.Second)
	w.oneCallEach()
}

// grows: three become five while the site stands lost, and four must agree.
func grows(w *world) {
	w.lose(cloudsim.Loss{})
	w.tells(w.observers[obsB], 20*time.Second, "2 of 5 sites say go")
	for _, s := range w.plan.seats {
		w.peers[s.observer] = w.observers[s.observer].links.peer()
	}
	for _, s := range w.plan.seats {
		o := w.observers[s.observer]
		root := maps.Clone(o.root)
		coordination := maps.Clone(root["coordination"].(doc))
		coordination["embedded"], root["coordination"] = doc{"initial_cluster": w.peers}, coordination
		o.configure(root)
	}
	for _, n := range w.names { // they learn of the new ones by a restart, one after the other
		o := w.observers[n]
		o.kill()
		o.start()
		w.eventually(n+" is back", 60*time.Second, o.fit)
	}
	w.untouched()
	for _, n := range []string{obsD, obsE} {
		w.untouched()
		w.names = append(w.names, n)
		w.observers[n].start() // it waits to be added
		w.eventually("the others take "+n+" in", 60*time.Second, func() bool {
			return w.observers[obsW].post("members/"+n+"/replace", `{"reason":"three become five"}`) == nil
		})
		if n != obsE { // with that one enough agree
			w.eventually(n+" is ready and fit", 60*time.Second, w.observers[n].fit)
			w.never()
		}
	}
	w.once(120 * time.Second)
	w.oneCallEach()
}
