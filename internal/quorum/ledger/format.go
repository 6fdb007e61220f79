package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// Format is the newest form of the store's records that this version reads and
// writes. The key format tells which form a cluster's records have, 1 when it is
// absent. A version that needs another form writes the key when every registered
// observer reads it; one that does not keeps out of the cluster from then on,
// instead of misreading it.
//
// No new form is needed for what older versions may pass over: a kind of key
// that is theirs no more than that, a field of an incident, of a group's record or
// of a site loss (or of an object in one, not of an element of a list), which older
// versions keep when they write the record. A new form is needed for what changes
// the meaning of the rest, for vetoes, and for fields of journal entries and
// anchors, over which hashes are taken.
const Format = 1

// ErrUnreadable is that the store holds what this version of drwatch cannot read, so that
// it decides nothing.
var ErrUnreadable = errors.New("the coordination store holds what this drwatch cannot read")

// checkFormat judges the key format, or its absence.
func checkFormat(it Item) error {
	if it.Mod == 0 {
		return nil
	}
	n, err := strconv.Atoi(string(it.Value))
	switch {
	case err != nil:
		return fmt.Errorf("%w: its format is %q, a number is known here: upgrade this observer", ErrUnreadable, cut(string(it.Value), 64))
	case n > Format:
		return fmt.Errorf("%w: its records have format %d, this version reads up to %d: upgrade this observer", ErrUnreadable, n, Format)
	}
	return nil
}

// readable refuses to take part in a cluster that this observer cannot read: it
// would look alive, lead, and decide nothing. Once the store was read whole, only
// a read that fails for what the store holds makes it be read again here.
func (l *Ledger) readable(ctx context.Context) error {
	if l.wasRead.Load() {
		return nil
	}
	_, err := l.Read(ctx)
	return err
}
