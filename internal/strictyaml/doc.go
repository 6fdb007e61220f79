// Package strictyaml reads a YAML file into Go structs and reports every
// mistake in it at once, each with its file, line and column, what was expected
// and, for a misspelt key, the nearest valid one. It also remembers where each
// value stood, so that checks of meaning can be reported at the right place.
//
// It knows YAML and the struct tags below, and nothing of what a file means.
//
// Struct tags:
//
//	yaml:"name"           the key; a field without it (or with "-") is not read
//	default:"30s"         the value, as YAML, when the key is left out
//	check:"a,b=c"         required, positive, nonempty, maybeempty, oneof=a|b|c
//
// A text is never empty unless it is maybeempty, which also goes for the
// elements of a list or mapping. A time.Duration is a Prometheus duration and never negative. A type with
// UnmarshalYAML of its own is read by it, with unknown keys refused. A type
// with UnmarshalText is read from a string. A type that has more than one form
// implements Custom.
package strictyaml
