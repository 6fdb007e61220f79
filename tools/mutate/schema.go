package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/types"
	"maps"
	"slices"
	"strings"
)

// schema writes a package's files with all their mutants in them, each behind a
// switch. What the switches need is one more file of the package.
type schema struct {
	p       *pack
	names   map[string]string // type → its alias in the file of the switches
	imports map[string]string // path → name there
}

func newSchema(p *pack) *schema {
	return &schema{p: p, names: map[string]string{}, imports: map[string]string{}}
}

// render is the file with the places switched. Lines stay where they are.
func (s *schema) render(src *source, places []*place) []byte {
	slices.SortFunc(places, func(x, y *place) int {
		return cmp.Or(cmp.Compare(x.from, y.from), cmp.Compare(y.to, x.to), cmp.Compare(y.form, x.form)) // the outer first, and a statement before its expression
	})
	var out bytes.Buffer
	s.stretch(&out, src.text, 0, len(src.text), places)
	return out.Bytes()
}

// stretch writes text[from:to] with the places in it.
func (s *schema) stretch(out *bytes.Buffer, text []byte, from, to int, places []*place) {
	for len(places) > 0 {
		pl := places[0]
		n := 1
		for n < len(places) && places[n].from < pl.to {
			n++
		}
		out.Write(text[from:pl.from])
		s.place(out, text, pl, places[1:n])
		from, places = pl.to, places[n:]
	}
	out.Write(text[from:to])
}

func (s *schema) place(out *bytes.Buffer, text []byte, pl *place, within []*place) {
	switch pl.form {
	case turns:
		fmt.Fprintf(out, " if mutantIs(%d) { break }; ", pl.alts[0].id)
	case guard:
		fmt.Fprintf(out, "if !mutantIs(%d) { ", pl.alts[0].id)
		s.stretch(out, text, pl.from, pl.to, within)
		out.WriteString(" }")
	case value:
		typ := s.nameOf(pl.typ)
		fmt.Fprintf(out, "func() %s { ", typ)
		for _, a := range pl.alts {
			code := a.code
			if strings.HasPrefix(code, zeroOf) {
				code = zeroOf + typ + ")"
			}
			fmt.Fprintf(out, "if mutantIs(%d) { return %s }; ", a.id, code)
		}
		out.WriteString("return ")
		s.stretch(out, text, pl.from, pl.to, within)
		out.WriteString(" }()")
	}
}

// nameOf is a name for a type that nothing in the file hides.
func (s *schema) nameOf(t types.Type) string {
	if hasParam(t) {
		return types.TypeString(t, types.RelativeTo(s.p.types))
	}
	text := types.TypeString(t, func(p *types.Package) string {
		if p == s.p.types {
			return ""
		}
		name := "mutant_" + p.Name()
		s.imports[p.Path()] = name
		return name
	})
	if s.names[text] == "" {
		s.names[text] = fmt.Sprintf("mutantT%d", len(s.names))
	}
	return s.names[text]
}

func hasParam(t types.Type) bool {
	_, ok := t.(*types.TypeParam)
	return ok
}

// switches is the file that tells which mutant is on. MUTANT names it; where
// MUTANTS_REACHED names a file, each that is come by is written there, once.
func (s *schema) switches(count int) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "package %s\n\nimport (\n\tmutantErrors \"errors\"\n\tmutantOS \"os\"\n\tmutantNumbers \"strconv\"\n\tmutantAtomic \"sync/atomic\"\n", s.p.name)
	for _, path := range slices.Sorted(maps.Keys(s.imports)) {
		fmt.Fprintf(&out, "\t%s %q\n", s.imports[path], path)
	}
	out.WriteString(")\n\n")
	for _, text := range slices.Sorted(maps.Keys(s.names)) {
		fmt.Fprintf(&out, "type %s = %s\n", s.names[text], text)
	}
	fmt.Fprintf(&out, `
var (
	mutantErr       = mutantErrors.New("mutant")
	mutantOn, _     = mutantNumbers.Atoi(mutantOS.Getenv("MUTANT"))
	mutantReached   = mutantOpen(mutantOS.Getenv("MUTANTS_REACHED"))
	mutantSeen [%d]mutantAtomic.Bool
)

func mutantOpen(name string) *mutantOS.File {
	if name == "" {
		return nil
	}
	f, err := mutantOS.OpenFile(name, mutantOS.O_APPEND|mutantOS.O_CREATE|mutantOS.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	return f
}

func mutantIs(id int) bool {
	if mutantReached != nil {
		mutantNote(id)
	}
	return id == mutantOn
}

func mutantNote(id int) {
	if mutantSeen[id].CompareAndSwap(false, true) {
		if _, err := mutantReached.WriteString(mutantNumbers.Itoa(id) + "\n"); err != nil {
			panic(err)
		}
	}
}
`, count+1)
	return out.Bytes()
}
