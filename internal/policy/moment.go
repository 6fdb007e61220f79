package policy

import (
	"context"
	"math"
	"slices"

	"github.com/drwatch/drwatch/internal/series"
)

// moment is a rule's trigger at one point of time. What is asked only when it
// matters is asked once.
type moment struct {
	e   *Evaluator
	ctx context.Context
	r   *ruleState
	t   int64

	plain   []answer
	sure    lazy // with missing samples as they last were
	bridged lazy // the same, for keep_firing_for only
	told    lazy // of the triggers that are alerts: firing or resolved
	holed   *bool
	sampled *bool
	known   []bool // per trigger
}

type lazy struct {
	asked   bool
	answers []answer
	err     error
}

// truth is what a trigger is at one moment, for one target.
type truth int

const (
	truthNo      truth = iota // samples say no
	truthMissing              // nothing says yes, because samples are missing
	truthBridged              // yes, if the missing samples were as they last were
	truthUnknown              // it could not be evaluated
	truthYes                  // samples say yes
)

func (e *Evaluator) look(ctx context.Context, r *ruleState, t int64) (*moment, error) {
	m := &moment{e: e, ctx: ctx, r: r, t: t}
	for _, x := range r.program.triggers {
		a, err := e.ask(ctx, e.store, x, t)
		if err != nil {
			return nil, err
		}
		m.plain = append(m.plain, a)
	}
	return m, nil
}

func (m *moment) once(l *lazy, again func(expr) (answer, error)) ([]answer, error) {
	if !l.asked {
		l.asked = true
		for _, x := range m.r.program.triggers {
			a, err := again(x)
			if err != nil {
				l.err = err
				break
			}
			l.answers = append(l.answers, a)
		}
	}
	return l.answers, l.err
}

// asBefore evaluates a trigger with every missing sample as it last was.
func (m *moment) asBefore(x expr) (answer, error) { return m.e.asBefore(m.ctx, x, m.t) }

// tellsOf is what is known of a trigger that is an alert.
func (m *moment) tellsOf(x expr) (answer, error) {
	if x.told == "" {
		return answer{}, nil
	}
	return m.e.ask(m.ctx, m.e.store, expr{text: x.told}, m.t)
}

// carried evaluates a trigger with samples that are missing for no longer than
// keep_firing_for as they last were.
func (m *moment) carried(x expr) (answer, error) {
	d := m.r.rule.KeepFiringFor
	return m.e.ask(m.ctx, m.e.store.View(series.Carry{Silence: d, Vanish: d, End: d}), x, m.t)
}

// of judges one target. active tells that its hold timer is running: only then
// there is something to bridge.
func (m *moment) of(t *Target, active bool) (truth, float64) {
	v, yes := all(m.plain, t)
	if yes && !m.isSampled() {
		return truthMissing, 0 // as `vector(1) unless x` is where x never had a sample
	}
	if yes && m.hasHoles() {
		// True, but is it true only because something is missing?
		sure, err := m.once(&m.sure, m.asBefore)
		if err != nil {
			return truthUnknown, 0
		}
		if _, still := all(sure, t); !still {
			return truthMissing, 0
		}
	}
	if yes {
		return truthYes, v
	}
	if active && m.r.rule.KeepFiringFor > 0 {
		b, err := m.once(&m.bridged, m.carried)
		if err != nil {
			return truthUnknown, 0
		}
		if v, ok := all(b, t); ok {
			return truthBridged, v
		}
	}
	for i, a := range m.plain {
		if _, ok := a.says(t, false); !ok && m.isKnown(i, t) {
			return truthNo, 0
		}
	}
	return truthMissing, 0
}

// all tells whether every trigger has a sample that applies, and the value of
// the first.
func all(as []answer, t *Target) (float64, bool) {
	v := math.NaN()
	for i, a := range as {
		s, ok := a.says(t, false)
		if !ok {
			return v, false
		}
		if i == 0 {
			v = s.F
		}
	}
	return v, len(as) > 0
}

// isSampled tells whether each trigger reads something that has ever had a sample.
func (m *moment) isSampled() bool {
	if m.sampled == nil {
		all := !slices.ContainsFunc(m.r.program.triggers, func(x expr) bool {
			return !slices.ContainsFunc(x.selectors, func(s selector) bool { return m.e.coverage(s, m.t) != series.Coverage{} })
		})
		m.sampled = &all
	}
	return *m.sampled
}

// hasHoles tells whether anything the triggers read is missing.
func (m *moment) hasHoles() bool {
	if m.holed == nil {
		h := m.e.anyMissing(m.r.program.triggers, m.t)
		m.holed = &h
	}
	return *m.holed
}

// isKnown tells whether each selector of the i-th trigger has something fresh to
// say, so that "no sample" is a no. Alertmanager does not send what does not
// fire: of an alert, only what was said of this very target is known.
func (m *moment) isKnown(i int, t *Target) bool {
	if m.r.program.triggers[i].told != "" {
		told, err := m.once(&m.told, m.tellsOf)
		if err != nil {
			return false
		}
		_, is := told[i].says(t, false)
		return is
	}
	if m.known == nil {
		m.known = make([]bool, len(m.plain))
		for i, x := range m.r.program.triggers {
			m.known[i] = true
			for _, s := range x.selectors {
				if m.e.coverage(s, m.t).Live == 0 {
					m.known[i] = false
				}
			}
		}
	}
	return m.known[i]
}
