package ledger

import (
	"bytes"
	"encoding/json"

	"github.com/drwatch/drwatch/internal/replication"
)

// memo keeps what was decoded at the last read for the next: most records stand
// unchanged through hundreds of reads, and with thousands of incidents decoding them
// is what a read costs. The zero memo remembers nothing.
type memo struct {
	was map[string]remembered // of the last read; nobody changes it any more
	now map[string]remembered // of this one
}

// remembered is a decoded record, which nobody may change, and what it was made of.
type remembered struct {
	mod   int64
	raw   []byte
	value any
}

// once decodes an item, or gives what was decoded of the very same before. The
// bytes are compared, not the revision alone: a store that was reset counts anew.
func once[T any](m memo, it Item, decode func(Item) (T, error)) (T, error) {
	if r, ok := m.was[it.Key]; ok && r.mod == it.Mod && bytes.Equal(r.raw, it.Value) {
		if v, ok := r.value.(T); ok {
			m.keep(it.Key, r)
			return v, nil
		}
	}
	v, err := decode(it)
	if err == nil {
		m.keep(it.Key, remembered{mod: it.Mod, raw: it.Value, value: v})
	}
	return v, err
}

// remembering is what the last read has decoded, without keeping more.
func (l *Ledger) remembering() memo {
	if was := l.memo.Load(); was != nil {
		return memo{was: *was}
	}
	return memo{}
}

func (m memo) keep(key string, r remembered) {
	if m.now != nil {
		m.now[key] = r
	}
}

func decodeHolder(it Item) (h replication.Holder, err error) {
	err = json.Unmarshal(it.Value, &h)
	return h, err
}

// lastRead is the item of a key as the last read had it, if it was at that revision;
// of a key that was not there at revision 0 nothing needs to be known.
func (l *Ledger) lastRead(key string, rev int64) (Item, bool) {
	if rev == 0 {
		return Item{Key: key}, true
	}
	was := l.memo.Load()
	if was == nil {
		return Item{}, false
	}
	r, ok := (*was)[key]
	return Item{Key: key, Value: r.raw, Mod: r.mod}, ok && r.mod == rev
}
