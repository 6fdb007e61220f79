// Package tiny is changed by the tests of mutate.
package tiny

import (
	"errors"
	"fmt"
)

// Room is what may be taken.
type Room struct{ Left, Taken int }

// ErrFull is returned where no room is left.
var ErrFull = errors.New("full")

// Take takes n, of what is left.
func (r *Room) Take(n int) error {
	if n <= 0 || n > r.Left {
		return fmt.Errorf("taking %d: %w", n, ErrFull)
	}
	r.Left -= n
	r.Taken += n
	return nil
}

// Kinds are three.
func Kinds() []string { return []string{"a", "b", "c"} }

// Spin counts down.
func Spin(n int) (turns int) {
	for n > 0 {
		n--
		turns++
	}
	return turns
}

// Name has a switch that returns in each case.
func Name(n int) string {
	switch n {
	case 1:
		return one()
	default:
		return "many"
	}
}

func one() string { return "one" }

// Unasked is called by no test.
func Unasked(n int) bool { return n == 3 }
