package huawei

import (
	"cmp"
	"encoding/json"
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

// Page is one page of a listing whose items were found and not read yet: what
// must be known before the next one is asked for.
type Page struct {
	Total int // items, those that cannot be read among them
	field string
	items []json.RawMessage
	from  Object
}

// Page finds the items of a list. The list must be there and be a list, else an
// empty answer would pass for an empty account.
func (o Object) Page(field string) (Page, error) {
	items, err := o.elements(field)
	if err != nil {
		return Page{}, err
	}
	return Page{Total: len(items), field: field, items: items, from: o}, nil
}

// Add takes one page. It refuses a page that holds items and none of them new:
// the provider then repeats itself, and the listing would never be complete.
func (l *Listed) Add(p Page) error {
	items := p.from.items(p.field, l.idField(), p.items)
	if l.seen == nil {
		l.seen = map[string]bool{}
	}
	fresh := p.Total == 0
	for _, item := range items {
		if item.ID != "" && l.seen[item.ID] {
			continue
		}
		fresh = true
		l.seen[item.ID] = true
		l.Items = append(l.Items, item)
	}
	l.Lost += p.Total - len(items)
	if !fresh && len(items) == p.Total {
		return fmt.Errorf("%w: the provider repeats a page of %q", ErrUnreadable, p.field)
	}
	return nil
}

// MayRepeat tells whether Add may refuse the page, by its first item alone: when
// that one is new, it will not.
func (l *Listed) MayRepeat(p Page) bool {
	if p.Total == 0 {
		return false
	}
	fields, ok := provider.FieldsOf(p.items[0])
	if !ok {
		return false
	}
	first := Object{fields: fields, problems: NewProblems(provider.NopMeter{})} // counted when it is added
	return l.seen[first.Text(l.idField())]
}

func (l *Listed) idField() string { return cmp.Or(l.IDField, "id") }

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
	return o.Of(id), nil
}
