package exposition

import (
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// pieceText is how much text goes into one piece: well above the 32 KiB that
// deflate looks back over, and little beside what a set holds in all.
const pieceText = 128 << 10

// Page is the rendered sets. Putting a set swaps it in whole; a scrape sees the
// old page or the new one. Safe for concurrent use.
type Page struct {
	shown [formats]atomic.Pointer[body]

	mu       sync.Mutex // guards all below; held while a set is rendered
	press    *press
	families map[string]*family
	sorted   []*family // by name
	sets     []string  // names, sorted
}

// family is one family with what was rendered of it.
type family struct {
	Family
	prefixes []string
	header   [formats]*piece
	rows     map[string][]*piece // by set

	// While a set is rendered:
	text []byte
	made []*piece
	seen map[uint64]struct{} // hashes of the label sets
}

// NewPage makes an empty page of these families. A family that the live
// registry of a Handler has as well would be there twice.
func NewPage(families []Family) (*Page, error) {
	p := &Page{press: newPress(), families: make(map[string]*family, len(families))}
	var errs []error
	for _, f := range families {
		if p.families[f.Name] != nil {
			errs = append(errs, fmt.Errorf("metric %s is defined twice", f.Name))
			continue
		}
		made := &family{Family: f, prefixes: f.prefixes(), rows: map[string][]*piece{}}
		for i := range formats {
			var err error
			made.header[i], err = p.press.piece([]byte(f.header(i)), nil)
			errs = append(errs, err)
		}
		p.families[f.Name] = made
		p.sorted = append(p.sorted, made)
	}
	slices.SortFunc(p.sorted, func(a, b *family) int { return strings.Compare(a.Name, b.Name) })
	p.assemble()
	return p, errors.Join(errs...)
}

// Put renders a set and puts it in the place of the one of that name. A sample
// that fits no family, or has the labels of an earlier one of the set, is left
// out and told in the error. Two sets must not hold the same series.
func (p *Page) Put(set string, samples iter.Seq[Sample]) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	faults := &faults{}
	for s := range samples {
		faults.note(p.line(set, s))
	}
	for _, f := range p.sorted {
		faults.note(f.close(p.press, set))
	}
	if i, found := slices.BinarySearch(p.sets, set); !found {
		p.sets = slices.Insert(p.sets, i, set)
	}
	p.assemble()
	return faults.err(set)
}

// Keep drops all sets but the named ones.
func (p *Page) Keep(sets ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := len(p.sets)
	p.sets = slices.DeleteFunc(p.sets, func(s string) bool { return !slices.Contains(sets, s) })
	if len(p.sets) == before {
		return
	}
	for _, f := range p.sorted {
		maps.DeleteFunc(f.rows, func(s string, _ []*piece) bool { return !slices.Contains(p.sets, s) })
	}
	p.assemble()
}

// line renders one sample.
func (p *Page) line(set string, s Sample) error {
	f := p.families[s.Family]
	switch {
	case f == nil:
		return fmt.Errorf("metric %s is not defined", s.Family)
	case len(s.Labels) != len(f.Labels):
		return fmt.Errorf("metric %s: %d label values for the labels %v", s.Family, len(s.Labels), f.Labels)
	}
	if f.seen == nil {
		f.seen = map[uint64]struct{}{}
	}
	start := len(f.text)
	f.text = appendLabels(f.text, f.Name, f.prefixes, s.Labels)
	hash := maphash.Bytes(p.press.seed, f.text[start:])
	if _, twice := f.seen[hash]; twice {
		text := string(f.text[start:])
		f.text = f.text[:start]
		return fmt.Errorf("metric %s is there twice", text)
	}
	f.seen[hash] = struct{}{}
	f.text = append(appendNumber(append(f.text, ' '), s.Value), '\n')
	if len(f.text) < pieceText {
		return nil
	}
	return f.cut(p.press, set)
}

// cut makes a piece of the text so far.
func (f *family) cut(by *press, set string) error {
	if len(f.text) == 0 {
		return nil
	}
	var old *piece
	if n := len(f.made); n < len(f.rows[set]) {
		old = f.rows[set][n]
	}
	made, err := by.piece(f.text, old)
	if err != nil {
		return fmt.Errorf("metric %s: compressing: %w", f.Name, err)
	}
	f.made = append(f.made, made)
	f.text = f.text[:0]
	return nil
}

// close ends the rendering of a set.
func (f *family) close(by *press, set string) error {
	err := f.cut(by, set)
	if len(f.made) > 0 {
		f.rows[set] = f.made
	} else {
		delete(f.rows, set)
	}
	f.text, f.made, f.seen = nil, nil, nil
	return err
}

// assemble strings all pieces together, and swaps the result in.
func (p *Page) assemble() {
	for in := range formats {
		var b body
		for _, f := range p.sorted {
			if len(f.rows) == 0 {
				continue
			}
			b.add(f.header[in])
			for _, set := range p.sets {
				b.add(f.rows[set]...)
			}
		}
		p.shown[in].Store(&b)
	}
}

// faults collects the first few errors of a set, which may be of any size.
type faults struct {
	first []error
	more  int
}

func (f *faults) note(err error) {
	const most = 5
	switch {
	case err == nil:
	case len(f.first) < most:
		f.first = append(f.first, err)
	default:
		f.more++
	}
}

func (f *faults) err(set string) error {
	if len(f.first) == 0 {
		return nil
	}
	err := errors.Join(f.first...)
	if f.more > 0 {
		err = fmt.Errorf("%w\nand %d more", err, f.more)
	}
	return fmt.Errorf("set %s: samples left out of /metrics: %w", set, err)
}
