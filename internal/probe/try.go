package probe

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// maxHanging bounds the tries of one probe that did not return at their
	// deadline. With that many, the probe is not tried: it has no result, and the
	// observer knows that it does not keep its pace.
	maxHanging = 3
	// late is how long after its deadline a failed try may be noticed. Later than
	// that this process, not the target, stood still.
	late = time.Second
)

// try makes one try. It has no result (false) when the try could not be made or
// says nothing about the target.
func (r *Runner) try(ctx context.Context, t *task) (Result, bool) {
	select {
	case t.hanging <- struct{}{}:
	default:
		r.o.Logger.Error("probe not tried, earlier tries hang", "site", t.spec.Site, "probe", t.spec.Name, "hanging", maxHanging)
		return Result{}, false
	}
	timeout := t.spec.Timeout()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	heard := &complaint{}
	answer := make(chan bool, 1)
	started := r.o.Now()
	r.tries.Go(func() {
		defer func() { <-t.hanging }()
		answer <- r.call(ctx, t.spec, heard)
	})
	res := Result{Site: t.spec.Site, Probe: t.spec.Name}
	select {
	case res.Success = <-answer:
	case <-ctx.Done():
		select { // an answer that came in the same moment counts
		case res.Success = <-answer:
		default:
		}
	}
	res.At = r.o.Now()
	res.Duration = res.At.Sub(started)
	if res.Success {
		return res, true
	}
	if res.Duration > timeout+late {
		r.o.Logger.Warn("probe result dropped, this process stood still", "site", t.spec.Site, "probe", t.spec.Name, "took", res.Duration)
		return Result{}, false
	}
	res.Detail = heard.last()
	if ctx.Err() != nil {
		res.Detail = tidy(fmt.Sprintf("no answer within %s. %s", timeout, res.Detail))
	}
	return res, true
}

// call runs the prober; its panic is a failure.
func (r *Runner) call(ctx context.Context, s Spec, heard *complaint) (success bool) {
	log := slog.New(heard)
	defer func() {
		if v := recover(); v != nil {
			success = false
			log.Error(fmt.Sprintf("The prober panicked (%T).", v)) //nolint:sloglint // heard keeps the message as the detail that people read
			r.o.Logger.Error("prober panicked", "site", s.Site, "probe", s.Name, "kind", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
		}
	}()
	return r.o.Probers[s.Module.Prober](ctx, s.Target, s.Module, prometheus.NewRegistry(), log)
}
