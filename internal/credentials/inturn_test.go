package credentials_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/drwatch/drwatch/internal/credentials"
)

// fixed gives the same keys each time, or the same error.
type fixed struct {
	keys  credentials.Keys
	err   error
	asked int
}

func (f *fixed) Issue(context.Context) (credentials.Keys, error) {
	f.asked++
	return f.keys, f.err
}

func TestInTurn(t *testing.T) {
	good, other := &fixed{keys: temporary(1, time.Time{})}, &fixed{keys: temporary(2, time.Time{})}
	bad, worse := &fixed{err: errors.New("this region is gone")}, &fixed{err: errors.New("that one too")}
	for _, c := range []struct {
		name   string
		all    credentials.InTurn
		want   credentials.Keys
		says   string
		unused *fixed
	}{
		{"the first has some", credentials.InTurn{good, other}, good.keys, "", other},
		{"only the second", credentials.InTurn{bad, good}, good.keys, "", nil},
		{"none", credentials.InTurn{bad, worse}, credentials.Keys{}, "this region is gone; and that one too", nil},
		{"the only one has none", credentials.InTurn{bad}, credentials.Keys{}, "this region is gone", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.all.Issue(t.Context())
			if !got.Same(c.want) || (err == nil) != (c.says == "") || err != nil && err.Error() != c.says {
				t.Errorf("error %v, want %q", err, c.says)
			}
			if c.unused != nil && c.unused.asked != 0 {
				t.Error("the second was asked although the first had keys")
			}
		})
	}
	if _, err := (credentials.InTurn{bad, worse}).Issue(t.Context()); !errors.Is(err, bad.err) || !errors.Is(err, worse.err) {
		t.Errorf("%v does not hold both errors", err)
	}
}
