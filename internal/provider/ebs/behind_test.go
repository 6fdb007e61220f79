package ebs_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/provider"
)

// callback is a meter that calls for each field that cannot be read, from where
// it is read.
type callback struct {
	provider.NopMeter
	bad func()
}

func (m callback) DecodeError(provider.Unread) { m.bad() }

// twoPages is a cloud of two pages of groups, each with an item that cannot be
// read, and of no pairs. second is called with the request for the other page.
func twoPages(t *testing.T, second func(*http.Request)) *cloud {
	t.Helper()
	return newCloud(t, map[string]http.HandlerFunc{
		"DescribeDiskReplicaPairs": body(200, `{"ReplicaPairs":[]}`),
		"DescribeDiskReplicaGroups": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("NextToken") == "" {
				fmt.Fprint(w, `{"ReplicaGroups":[{"ReplicaGroupId":"pg-1"},7],"NextToken":"t"}`)
				return
			}
			second(r)
			fmt.Fprint(w, `{"ReplicaGroups":[{"ReplicaGroupId":"pg-2"},7]}`)
		},
	})
}

// A page is read while the next one is asked for: neither goes on here before the
// other has begun.
func TestAPageIsReadWhileTheNextIsAskedFor(t *testing.T) {
	asked, read := make(chan struct{}), make(chan struct{})
	wait := func(other <-chan struct{}) {
		select {
		case <-other:
		case <-time.After(5 * time.Second):
			t.Error("one waits for the other")
		}
	}
	s := twoPages(t, func(*http.Request) {
		close(asked)
		wait(read)
	}).settings()
	bad := 0
	s.Meter = callback{bad: func() {
		if bad++; bad == 1 {
			close(read)
			wait(asked)
		}
	}}
	l, err := newReader(t, s).List(t.Context())
	if err != nil || len(l.Groups) != 2 || l.Groups[0].Key.ID != "pg-1" || bad != 2 {
		t.Errorf("%d groups, %d unreadable, %v", len(l.Groups), bad, err)
	}
}

// A listing that is given up ends when its reading has: nothing is left behind.
func TestGivingUpWaitsForTheReading(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := twoPages(t, func(r *http.Request) {
		cancel()
		<-r.Context().Done()
	}).settings()
	var ended bool // unguarded: the race detector sees it when List does not wait
	s.Meter = callback{bad: func() {
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Second):
			t.Error("the next page is not asked for")
		}
		ended = true
	}}
	if _, err := newReader(t, s).List(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context canceled", err)
	}
	if !ended {
		t.Error("the listing ended before its reading")
	}
}

// A panic while a page is read is one of List: its caller can recover from it.
func TestAPanicOfTheReadingIsTheListings(t *testing.T) {
	s := twoPages(t, func(*http.Request) {}).settings()
	s.Meter = callback{bad: func() { panic("while reading") }}
	defer func() {
		if got := recover(); got != "while reading" {
			t.Errorf("recovered %v", got)
		}
	}()
	_, err := newReader(t, s).List(t.Context())
	t.Errorf("List returned %v", err)
}
