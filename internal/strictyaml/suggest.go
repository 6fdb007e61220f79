package strictyaml

import (
	"fmt"
	"slices"
	"strings"
)

// Suggest is `, did you mean "x"?` for the candidate nearest to what was
// written, or "" when none is near: at most a third of its letters are added,
// dropped, changed or swapped, and at most three. Three are also near at the end
// of a word of which two thirds are right, as of another form of it.
func Suggest(written string, candidates []string) string {
	written = strings.ToLower(written)
	best, least := "", 4
	for _, c := range candidates {
		lower, most := strings.ToLower(c), min(3, max(1, len(written)/3))
		if 3*common(written, lower) >= 2*max(len(lower), 6) {
			most = 3
		}
		if d := distance(written, lower); d <= most && d < least {
			best, least = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// common is how many bytes two words begin alike with.
func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// maxSuggested bounds the work on an absurdly long word.
const maxSuggested = 64

// distance is the edit distance with swaps of neighbours (optimal string
// alignment).
func distance(a, b string) int {
	if len(a) > maxSuggested || len(b) > maxSuggested {
		return maxSuggested
	}
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}

// unknownKey is the sentence for a key that nobody knows.
func unknownKey(key, path string, known []string) string {
	where := "at the top level"
	if path != "" {
		where = "in " + path
	}
	if s := Suggest(key, known); s != "" {
		return fmt.Sprintf("unknown key %q %s%s", key, where, s)
	}
	known = slices.Sorted(slices.Values(known))
	return fmt.Sprintf("unknown key %q %s, expected one of: %s", key, where, strings.Join(known, ", "))
}
