package simtest_test

import "strings"

// post is one observer and where it stands.
type post struct{ name, site string }

// names are the usual observers.
var names = []string{"obs-a", "obs-b", "obs-w"}

// The crews: one observer in each of two sites and a witness; five in five sites; two
// in each site and a witness.
func crewOf(name string) []post {
	usual := []post{{"obs-a", "az-a"}, {"obs-b", "az-b"}, {"obs-w", "witness"}}
	switch name {
	case "five sites":
		return append(usual, post{"obs-v", "witness-2"}, post{"obs-u", "witness-3"})
	case "two a site":
		return append(usual, post{"obs-a2", "az-a"}, post{"obs-b2", "az-b"})
	}
	return usual
}

// quorumFor is the text of the rule as it is for the crew.
func quorumFor(crew, rule string) string {
	if crew == "five sites" {
		return strings.Replace(rule, "quorum: {agree: 2, of: 3, veto: any}", "quorum: {agree: 3, of: 5, veto: any}", 1)
	}
	return rule
}

// agreeIn is how many sites must agree in a crew, as the judges know it.
func agreeIn(crew string) int {
	if crew == "five sites" {
		return 3
	}
	return 2
}

func (w *world) observer(name string) *observer {
	for _, o := range w.observers {
		if o.name == name {
			return o
		}
	}
	return nil
}

// in are the observers that stand in a site, or, with no site named, outside az-a.
func (w *world) in(site string) []*observer {
	var out []*observer
	for _, o := range w.observers {
		if o.site == site || site == "" && o.site != "az-a" {
			out = append(out, o)
		}
	}
	return out
}
