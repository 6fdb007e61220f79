package collector_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drwatch/drwatch/internal/provider"
	"github.com/drwatch/drwatch/internal/replication"
)

// driller is a reader whose provider has drills.
type driller struct {
	*reader
	drills []replication.Drill
	fails  error
}

func (d *driller) Drills(ctx context.Context, id string) ([]replication.Drill, error) {
	if _, err := d.Read(ctx, id); err != nil {
		return nil, err
	}
	return d.drills, d.fails
}

func TestDrillsOfAGroup(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		groups := []replication.Group{plainGroup("g1")}
		first := &driller{reader: &reader{groups: groups}, drills: []replication.Drill{{ID: "d1", State: replication.DrillReady}}}
		other := &driller{reader: &reader{groups: groups}, drills: []replication.Drill{{ID: "d2"}}}
		a := account("hw", first)
		a.Fallback = other
		h.run(t, only(a))
		after(time.Second)
		if got, err := h.Drills(t.Context(), key("g1")); err != nil || cmp.Diff(first.drills, got) != "" {
			t.Errorf("%+v, %v", got, err)
		}
		first.change(func(r *reader) { r.err = errors.New("connection refused") })
		if got, err := h.Drills(t.Context(), key("g1")); err != nil || cmp.Diff(other.drills, got) != "" {
			t.Errorf("from the other end: %+v, %v", got, err)
		}
		other.fails = errors.New("one could not be read")
		if got, err := h.Drills(t.Context(), key("g1")); err == nil || got != nil {
			t.Errorf("%+v, want the error of both ends", got)
		}
		if _, err := h.Drills(t.Context(), key("never seen")); !errors.Is(err, provider.ErrNotFound) {
			t.Errorf("%v, want ErrNotFound", err)
		}
	})
}

// Of a provider without drills it is known that there are none.
func TestDrillsOfAProviderWithoutAny(t *testing.T) {
	virtual(t, func(t *testing.T, h *house) {
		h.run(t, only(account("hw", &reader{groups: []replication.Group{plainGroup("g1")}})))
		after(time.Second)
		if got, err := h.Drills(t.Context(), key("g1")); err != nil || got == nil || len(got) != 0 {
			t.Errorf("%#v, %v", got, err)
		}
	})
}
