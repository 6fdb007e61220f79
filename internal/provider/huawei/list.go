package huawei

import (
	"cmp"
	"fmt"

	"github.com/drwatch/drwatch/internal/provider"
)

// MaxPages bounds every listing.
const MaxPages = 200

// Listed collects the pages of one listing, each item once.
type Listed struct {
	Items []Item
	// IDField is the field that tells an item's id; "" is "id".
	IDField string
	// Lost counts items that could not be read at all.
	Lost int
	seen map[string]bool
}

// Add takes one page. It refuses a page that holds items and none of them new:
// the provider then repeats itself, and the listing would never be complete.
func (l *Listed) Add(a Answer, field string) (total int, err error) {
	items, total, err := a.ItemsBy(field, cmp.Or(l.IDField, "id"))
	if err != nil {
		return 0, err
	}
	if l.seen == nil {
		l.seen = map[string]bool{}
	}
	fresh := total == 0
	for _, item := range items {
		if item.ID != "" && l.seen[item.ID] {
			continue
		}
		fresh = true
		l.seen[item.ID] = true
		l.Items = append(l.Items, item)
	}
	l.Lost += total - len(items)
	if !fresh && len(items) == total {
		return total, fmt.Errorf("%w: the provider repeats a page of %q", ErrUnreadable, field)
	}
	return total, nil
}

// LastID is the id of the last item, for the next page's marker.
func (l *Listed) LastID() string {
	if len(l.Items) == 0 {
		return ""
	}
	return l.Items[len(l.Items)-1].ID
}

// One is the object of a read of one item: it must be there and be the one that
// was asked for.
func (a Answer) One(field, id string) (Object, error) {
	o, ok := a.Child(field)
	if !ok {
		return Object{}, fmt.Errorf("%w: it has no object %q", ErrUnreadable, field)
	}
	if got := o.Text("id"); got != id {
		return Object{}, fmt.Errorf("%w: asked for %s and was told of %s", ErrUnreadable, id, provider.RedactText(fmt.Sprintf("%q", got)))
	}
	return o, nil
}
