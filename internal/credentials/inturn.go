package credentials

import (
	"context"
	"fmt"
)

// InTurn asks one issuer after the other until one gives keys.
type InTurn []Issuer

// Issue gives the keys of the first that has some, else what all of them said.
func (all InTurn) Issue(ctx context.Context) (Keys, error) {
	var said error
	for _, i := range all {
		keys, err := i.Issue(ctx)
		switch {
		case err == nil:
			return keys, nil
		case said == nil:
			said = err
		default:
			said = fmt.Errorf("%w; and %w", said, err)
		}
	}
	return Keys{}, said
}
