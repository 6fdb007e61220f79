package exposition

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Type is the type of a family. Distributions stay with the live registry: their
// lines differ between the two formats, and there are few of them.
type Type int

// The types of families.
const (
	Gauge Type = iota
	Counter
)

// Family is the definition of one metric.
type Family struct {
	Name   string
	Help   string
	Type   Type
	Unit   string // base unit as the name ends in it; "" for none
	Labels []string
}

// Sample is one value of one family.
type Sample struct {
	Family string   // its name
	Labels []string // values, in the order of Family.Labels
	Value  float64
}

// format is one of the two text formats. Gauges and counters have the same
// lines in both: 1.0 is a number in each. Only what stands around them differs.
type format int

const (
	plain       format = iota // Prometheus text 0.0.4
	openMetrics               // OpenMetrics 1.0.0
	formats
)

// end is what closes an exposition.
func (f format) end() string {
	if f == openMetrics {
		return "# EOF\n"
	}
	return ""
}

// header is the comment lines of a family.
func (f Family) header(in format) string {
	name, kind := f.Name, "gauge"
	help := strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	if in == openMetrics {
		help = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	}
	if f.Type == Counter {
		kind = "counter"
		if in == openMetrics {
			name = strings.TrimSuffix(name, "_total")
		}
	}
	var b strings.Builder
	b.WriteString("# HELP " + name + " " + help.Replace(f.Help) + "\n# TYPE " + name + " " + kind + "\n")
	if in == openMetrics && f.Unit != "" {
		b.WriteString("# UNIT " + name + " " + f.Unit + "\n")
	}
	return b.String()
}

// prefixes is what stands before each label value of a line: the name and first
// label, then each further label.
func (f Family) prefixes() []string {
	out := make([]string, len(f.Labels))
	for i, label := range f.Labels {
		out[i] = `",` + label + `="`
	}
	if len(out) > 0 {
		out[0] = f.Name + "{" + f.Labels[0] + `="`
	}
	return out
}

// appendLabels appends name and labels.
func appendLabels(to []byte, name string, prefixes, values []string) []byte {
	if len(values) == 0 {
		return append(to, name...)
	}
	for i, v := range values {
		to = append(to, prefixes[i]...)
		to = appendValue(to, v)
	}
	return append(to, '"', '}')
}

// appendValue appends a label value, escaped and made valid UTF-8: one name that
// a provider garbled must not take the page away.
func appendValue(to []byte, v string) []byte {
	if !utf8.ValidString(v) {
		v = strings.ToValidUTF8(v, "\uFFFD")
	}
	for {
		i := strings.IndexAny(v, "\\\n\"")
		if i < 0 {
			return append(to, v...)
		}
		to = append(append(to, v[:i]...), '\\')
		if v[i] == '\n' {
			to = append(to, 'n')
		} else {
			to = append(to, v[i])
		}
		v = v[i+1:]
	}
}

// exact is below which a whole number is written digit by digit.
const exact = 1 << 53

// appendNumber appends a value as both formats read it.
func appendNumber(to []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(to, "NaN"...)
	case math.IsInf(v, 1):
		return append(to, "+Inf"...)
	case math.IsInf(v, -1):
		return append(to, "-Inf"...)
	case v == math.Trunc(v) && math.Abs(v) < exact:
		return append(strconv.AppendInt(to, int64(v), 10), ".0"...)
	}
	return strconv.AppendFloat(to, v, 'g', -1, 64)
}
