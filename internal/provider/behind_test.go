package provider_test

import (
	"errors"
	"testing"

	"github.com/drwatch/drwatch/internal/provider"
)

func TestBehind(t *testing.T) {
	var b provider.Behind
	if err := b.Wait(); err != nil {
		t.Errorf("nothing was begun: %v", err)
	}
	goOn, done, broken := make(chan struct{}), false, errors.New("broken")
	b.Do(func() error {
		<-goOn
		done = true
		return broken
	})
	close(goOn) // Do came back while the work waits
	if err := b.Wait(); !errors.Is(err, broken) || !done {
		t.Errorf("done %v, %v", done, err)
	}
	if err := b.Wait(); err != nil {
		t.Errorf("an error is told twice: %v", err)
	}
}

// Whoever guards a poll against panics guards it against those of its reading.
func TestBehindPanicsWhereItIsWaitedFor(t *testing.T) {
	var b provider.Behind
	b.Do(func() error { panic("in the work") })
	var got any
	func() {
		defer func() { got = recover() }()
		_ = b.Wait()
	}()
	if got != "in the work" {
		t.Errorf("recovered %v", got)
	}
	b.Do(func() error { return nil })
	if err := b.Wait(); err != nil {
		t.Errorf("after a panic: %v", err)
	}
}
