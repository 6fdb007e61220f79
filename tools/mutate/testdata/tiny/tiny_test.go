package tiny_test

import (
	"errors"
	"testing"

	"github.com/drwatch/drwatch/tools/mutate/testdata/tiny"
)

func TestTake(t *testing.T) {
	r := tiny.Room{Left: 3}
	if err := r.Take(2); err != nil || r.Left != 1 {
		t.Errorf("%v, %+v", err, r)
	}
	if err := r.Take(2); !errors.Is(err, tiny.ErrFull) {
		t.Errorf("%v", err)
	}
	if err := r.Take(0); !errors.Is(err, tiny.ErrFull) {
		t.Errorf("%v", err)
	}
}

func TestKinds(t *testing.T) {
	if n := len(tiny.Kinds()); n != 3 {
		t.Errorf("%d kinds", n)
	}
}

func TestSpin(t *testing.T) {
	if n := tiny.Spin(2); n != 2 {
		t.Errorf("%d turns", n)
	}
}

func TestName(t *testing.T) {
	if got := tiny.Name(1) + tiny.Name(2); got != "onemany" {
		t.Error(got)
	}
}
